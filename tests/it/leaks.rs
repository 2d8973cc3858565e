//! The guard of every other test: a world that leaks does not end well.

use engine_sim::engine::SALES_APP;
use engine_sim::tenant::{LiveFault, Script};

use crate::support::World;

#[tokio::test]
#[should_panic(expected = "a client has seen canary-api-key-")]
async fn a_secret_in_a_frame_is_found() {
    leaked(|world| world.secrets.api_key.clone()).await;
}

#[tokio::test]
#[should_panic(expected = "a client has seen canary-trace-")]
async fn a_trace_of_the_tenant_is_found() {
    leaked(|world| {
        let mut secrets = world.tenant.secrets();
        secrets.retain(|secret| secret.starts_with("canary-trace-"));
        secrets.remove(0)
    })
    .await;
}

#[tokio::test]
#[should_panic(expected = "a client has seen 127.0.0.1:")]
async fn the_tenants_address_is_found() {
    leaked(|world| world.tenant.address().to_string()).await;
}

#[tokio::test]
#[should_panic(expected = "the log has ")]
async fn a_session_in_the_log_is_found() {
    let world = World::start().await;
    // An app's id stands in the log; here it is somebody's session.
    let app = world.keep("0123456789abcdef-session".to_owned());
    world.visit("ada", &app).open().await;
}

/// The engine itself says it.
async fn leaked(secret: impl FnOnce(&World) -> String) {
    let world = World::start().await;
    let mut ada = world.visit("ada", SALES_APP).open().await;
    let text = format!("{{\"secret\":\"{}\"}}", secret(&world));
    world.tenant.script(Script::Live(LiveFault::Say { text }));
    ada.receive().await;
}
