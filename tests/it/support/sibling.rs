//! A further proxy before the tenant of a world: a replica of the first.

use qix_proxy::config::Config;
use qix_proxy::proxy::Proxy;
use tokio::sync::oneshot;
use tokio_tungstenite::tungstenite::Message;

use super::world::no_source;
use super::{Browser, Doors, Knock, Recipe, World};

/// A further proxy; it stops with its value.
pub(crate) struct Sibling {
    /// Where it is.
    pub(crate) doors: Doors,
    _stop: oneshot::Sender<()>,
}

impl Sibling {
    /// Starts one by this recipe, with the secrets of the world.
    pub(crate) async fn start(world: &World, recipe: &Recipe) -> Self {
        Self::by(recipe.config_for(world)).await
    }

    /// Starts one by the config of the world's own.
    pub(crate) async fn twin(world: &World) -> Self {
        Self::by(world.config.good()).await
    }

    async fn by(config: Config) -> Self {
        let proxy = Proxy::bind(config, no_source()).await.unwrap();
        let doors = Doors::of(proxy.addresses());
        let (stop, stopped) = oneshot::channel::<()>();
        let shutdown = async {
            // A sender that is dropped is a stop as well.
            let _ = stopped.await;
        };
        tokio::spawn(proxy.run(shutdown));
        Self { doors, _stop: stop }
    }

    /// Sends a request here.
    pub(crate) fn asked<'a>(&self, knock: Knock<'a>) -> Knock<'a> {
        knock.at(self.doors.public)
    }

    /// The value of a metric, told by its line up to the value; 0 when there is none.
    pub(crate) async fn metric(&self, world: &World, name: &str) -> u64 {
        let metrics = world.http("GET", "/metrics").at(self.doors.admin);
        let metrics = metrics.refused().await.body;
        let value = |line: &str| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok();
        metrics.lines().find_map(value).unwrap_or_default()
    }
}

/// Opens a socket, wherever it goes: the engine greets, or the proxy says a code.
pub(crate) async fn attempt(knock: Knock<'_>) -> Result<Browser, u16> {
    let mut browser = knock.upgraded().await.browser;
    match browser.next().await {
        Some(Ok(Message::Text(_))) => Ok(browser),
        Some(Ok(Message::Close(Some(frame)))) => Err(frame.code.into()),
        other => panic!("neither a greeting nor a code: {other:?}"),
    }
}
