//! What replicas share: their Redis, tried with all that they ask of it, at a key of its own.

use std::sync::Arc;

use redis::{Value, pipe};
use tokio::time::Instant;

use super::advice;
use super::report::{Report, Seen, Step, StepName};
use crate::line::{Line, LineError};

/// How long what is put there can stay, in milliseconds.
const LIFE: usize = 5_000;

/// The Redis of `[replicas]`.
#[derive(Debug)]
pub struct Commons {
    line: Arc<Line>,
    key: String,
    kept: Kept,
}

/// What replicas keep there besides logouts and tickets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kept {
    /// What they fetched at Qlik.
    Credentials,
    /// Nothing.
    Nothing,
}

impl Commons {
    /// Prepares the try, at a key of its own that begins with `prefix`.
    #[must_use]
    pub fn new(line: Arc<Line>, prefix: &str, kept: Kept) -> Self {
        let mut bytes = [0; 8];
        // With a constant here, two checks at the same moment can disturb each other, and no more.
        let _ = aws_lc_rs::rand::fill(&mut bytes);
        let key = format!("{prefix}check:{:016x}", u64::from_ne_bytes(bytes));
        Self { line, key, kept }
    }

    /// Tries it.
    pub(super) async fn run(&self) -> Report {
        let started = Instant::now();
        let tried = self.exchange().await;
        let mut report = Report::of_replicas();
        // What failed is in the report.
        let _ = report.add(StepName::Redis, started, tried);
        report
    }

    /// Whatever comes of it, nothing stays.
    async fn exchange(&self) -> Result<Seen<()>, Step> {
        let tried = self.commands().await;
        let life = LIFE.to_string();
        let _: Result<Value, LineError> = self.ask(&["SET", &self.key, "", "PX", &life]).await;
        let taken: Result<Value, LineError> = self.ask(&["GETDEL", &self.key]).await;
        tried.and(taken.map_err(|error| advice::on_redis("GETDEL", &error)))?;
        let what = match self.kept {
            Kept::Credentials => "logouts, tickets and credentials",
            Kept::Nothing => "logouts and tickets",
        };
        Ok(Seen::new(format!("takes and gives back {what}"), ()))
    }

    async fn commands(&self) -> Result<(), Step> {
        let (key, life) = (self.key.as_str(), LIFE.to_string());
        let script = "return redis.call('GET', KEYS[1])";
        let all: [&[&str]; 3] = [
            &["TIME"],
            &["XADD", key, "MAXLEN", "~", "1", "*", "try", "1"],
            &["XRANGE", key, "-", "+", "COUNT", "1"],
        ];
        let tickets: [&[&str]; 1] = [&["SET", key, "1", "PX", &life]];
        let credentials: [&[&str]; 5] = [
            &["GET", key],
            &["PTTL", key],
            &["PEXPIRE", key, &life],
            &["EVAL", script, "1", key],
            &["DEL", key],
        ];
        let credentials = credentials
            .into_iter()
            .filter(|_| self.kept == Kept::Credentials);
        for command in all.into_iter().chain(tickets).chain(credentials) {
            let asked = self.ask(command).await;
            asked.map_err(|error| advice::on_redis(command[0], &error))?;
        }
        Ok(())
    }

    async fn ask(&self, words: &[&str]) -> Result<Value, LineError> {
        let mut asking = pipe();
        let command = asking.cmd(words[0]);
        for word in &words[1..] {
            command.arg(word);
        }
        let (answer,): (Value,) = self.line.ask(&asking).await?;
        Ok(answer)
    }
}
