//! Opening an app: what the engine sees of it, and what the browser gets.

use engine_sim::engine::SALES_APP;
use serde_json::json;

use crate::support::{Recipe, World};

#[tokio::test]
async fn a_browser_with_a_session_opens_an_app_through_the_proxy() {
    let world = World::start().await;
    let mut ada = world.visit("ada", SALES_APP).open().await;
    let doc = ada.open_doc(SALES_APP).await;
    let layout = ada.call(doc, "GetAppLayout", json!([])).await;
    assert_eq!(layout["result"]["qLayout"]["qTitle"], "Sales", "{layout}");
}
