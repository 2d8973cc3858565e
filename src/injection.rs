//! What the engine leg carries in a person's name. Made by a credential, spent by the dial; it
//! prints as nothing.

use std::fmt;

use http::{HeaderName, HeaderValue};

/// Headers, cookies and query parameters to put on the upgrade to the engine.
///
/// Header values are marked sensitive when they enter.
#[derive(Clone, Default)]
pub struct Injection {
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Injection {
    /// Nothing at all: an engine that asks for no credential.
    #[must_use]
    pub fn nothing() -> Self {
        Self::default()
    }

    /// Adds a header.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, mut value: HeaderValue) -> Self {
        value.set_sensitive(true);
        self.headers.push((name, value));
        self
    }

    /// The headers to send.
    pub fn headers(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        self.headers.iter().map(|(name, value)| (name, value))
    }
}

impl fmt::Debug for Injection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Injection(…)")
    }
}
