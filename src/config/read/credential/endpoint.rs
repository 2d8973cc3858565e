//! The endpoints that secrets go to, each at the engine's own origin when it is not written.

use url::Url;

use crate::config::notes::Noted;
use crate::config::read::engine::{allow_http, refuse_plain};
use crate::config::table::Table;
use crate::config::value::{WebUrl, is_plain};

/// One endpoint of a table.
pub(super) struct Endpoint {
    pub(super) key: &'static str,
    pub(super) doc: &'static str,
    /// Its path at the engine's origin.
    pub(super) path: &'static str,
}

impl Endpoint {
    /// Reads its URL; the table has `allow_http` besides.
    pub(super) fn read(
        &self,
        t: &mut Table<'_>,
        engine: Result<&Url, Noted>,
    ) -> Result<Url, Noted> {
        let written: Result<Option<WebUrl>, _> = t.optional(self.key, self.doc);
        let allow_http = allow_http(t);
        if let Some(WebUrl(url)) = written? {
            refuse_plain(t, self.key, &url, allow_http)?;
            return Ok(url);
        }
        let mut url = engine?.clone();
        url.set_path(self.path);
        if is_plain(&url) && !allow_http? {
            let write = format!("write `{}`, or `allow_http = true`", self.key);
            return Err(t.absent(
                "the client's secret would go to the engine's origin over plain http",
                format!("{write} in this table if that way is trusted"),
            ));
        }
        Ok(url)
    }
}
