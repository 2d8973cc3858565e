//! What the proxies of this process log, kept for the tests to read.

use std::collections::BTreeMap;
use std::fmt::{Debug, Write as _};
use std::sync::{Mutex, OnceLock};

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

static LINES: Mutex<Vec<Line>> = Mutex::new(Vec::new());

/// One log line of the product.
#[derive(Clone, Debug, Default)]
pub(crate) struct Line {
    /// `INFO`, `WARN`, ….
    pub(crate) level: String,
    /// The message.
    pub(crate) message: String,
    /// Its fields.
    pub(crate) fields: BTreeMap<String, String>,
}

impl Line {
    /// A field, or nothing.
    pub(crate) fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }
}

/// Begins to listen, once a process.
pub(crate) fn listen() {
    static LISTENING: OnceLock<()> = OnceLock::new();
    LISTENING.get_or_init(|| tracing_subscriber::registry().with(Listener).init());
}

/// The lines so far.
pub(crate) fn lines() -> Vec<Line> {
    LINES.lock().unwrap().clone()
}

/// The lines so far as one text, after the line of that number.
pub(crate) fn text(from: usize) -> String {
    let mut text = String::new();
    for line in lines().iter().skip(from) {
        writeln!(text, "{} {} {:?}", line.level, line.message, line.fields).unwrap();
    }
    text
}

struct Listener;

impl<S: Subscriber> Layer<S> for Listener {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        if !metadata.target().starts_with("qix_proxy") {
            return;
        }
        let mut line = Line {
            level: metadata.level().to_string(),
            ..Line::default()
        };
        event.record(&mut line);
        LINES.lock().unwrap().push(line);
    }
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.keep(field, value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.keep(field, format!("{value:?}"));
    }
}

impl Line {
    fn keep(&mut self, field: &Field, value: String) {
        if field.name() == "message" {
            self.message = value;
        } else {
            self.fields.insert(field.name().to_owned(), value);
        }
    }
}
