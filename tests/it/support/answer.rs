//! An HTTP answer, as it came.

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt};

/// An HTTP answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    /// The status.
    pub(crate) status: u16,
    /// Names in lower case and values, in order.
    pub(crate) headers: Vec<(String, String)>,
    /// The body.
    pub(crate) body: String,
}

impl Answer {
    /// Reads a head; `None` when the connection ends first. What was read beyond it stays in
    /// `read`.
    pub(crate) async fn head(
        io: &mut (impl AsyncRead + Unpin),
        read: &mut Vec<u8>,
    ) -> Option<Self> {
        let end = loop {
            if let Some(end) = memchr::memmem::find(read, b"\r\n\r\n") {
                break end + 4;
            }
            if !matches!(io.read_buf(read).await, Ok(1..)) {
                return None;
            }
        };
        let rest = read.split_off(end);
        let head = String::from_utf8(std::mem::replace(read, rest)).unwrap();
        let mut lines = head.trim_end().split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap();
        let headers = lines.map(|line| {
            let (name, value) = line.split_once(':').unwrap();
            (name.to_ascii_lowercase(), value.trim().to_owned())
        });
        Some(Self {
            status: status.parse().unwrap(),
            headers: headers.collect(),
            body: String::new(),
        })
    }

    /// Reads the body that the head announces.
    pub(crate) async fn with_body(
        mut self,
        io: &mut (impl AsyncRead + Unpin),
        read: &mut Vec<u8>,
    ) -> Self {
        let length = self
            .header("content-length")
            .map_or(0, |it| it.parse().unwrap());
        while read.len() < length {
            assert!(io.read_buf(read).await.unwrap() > 0, "half a body");
        }
        let rest = read.split_off(length);
        self.body = String::from_utf8(std::mem::replace(read, rest)).unwrap();
        self
    }

    /// The first value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(other, _)| other == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The names of its headers, sorted.
    pub(crate) fn header_names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        names
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        assert_eq!(
            self.header("content-type"),
            Some("application/json"),
            "{self:?}"
        );
        serde_json::from_str(&self.body).unwrap()
    }
}
