//! One way out: engine sockets and tokens go through the egress proxy.

use engine_sim::engine::SALES_APP;

use crate::support::{Authority, Egress, Files, Recipe, soon};

/// `qix:canary-egress`.
const LOGIN: &str = "Basic cWl4OmNhbmFyeS1lZ3Jlc3M=";

/// An engine by a name that the egress proxy alone can find.
fn hidden(authority: &Authority, ca: &str, proxy: &str) -> Recipe {
    let server = authority.server("engine.test");
    Recipe::default()
        .tenant(move |tenant| tenant.tls(server))
        .process(&format!("[outbound.proxy]\n{proxy}\n"))
        .engine(&format!("url = \"https://engine.test\"\nca = {ca:?}\n"))
        .impersonating()
}

#[tokio::test]
async fn tokens_and_sockets_go_through_it() {
    let (authority, files, egress) = (Authority::new(), Files::new(), Egress::start(LOGIN).await);
    let ca = files.write("ca.pem", &authority.pem());
    let password = files.write("password", "canary-egress");
    let proxy = format!(
        "url = {:?}\nuser = \"qix\"\npassword = {{ file = {password:?} }}\nexcept = [\".internal\"]",
        egress.url()
    );
    let world = hidden(&authority, &ca, &proxy).start().await;
    world.keep("canary-egress".to_owned());
    egress.lead("engine.test:443", world.tenant.address());
    let mut ada = world.visit("ada", SALES_APP).open().await;
    assert!(ada.open_doc(SALES_APP).await > 0);
    ada.close(1000).await;
    // The first is the token's, the second the socket's.
    assert_eq!(egress.asked(), ["engine.test:443", "engine.test:443"]);
    soon(world.tenant.until(|state| state.sockets_open == 0)).await;
}

#[tokio::test]
async fn a_way_that_is_closed_is_told() {
    let (authority, files, egress) = (Authority::new(), Files::new(), Egress::start(LOGIN).await);
    let ca = files.write("ca.pem", &authority.pem());
    let proxy = format!("url = {:?}", egress.url());
    for (recipe, code) in [
        (hidden(&authority, &ca, &proxy), 4211),
        (
            hidden(&authority, &ca, &proxy).credential("kind = \"none\""),
            4240,
        ),
    ] {
        let world = recipe.start().await;
        egress.lead("engine.test:443", world.tenant.address());
        assert_eq!(world.visit("ada", SALES_APP).closed().await.0, code);
    }
    assert!(egress.asked().is_empty());
}

#[tokio::test]
async fn what_is_excepted_is_reached_directly() {
    let (authority, files, egress) = (Authority::new(), Files::new(), Egress::start(LOGIN).await);
    let ca = files.write("ca.pem", &authority.pem());
    let proxy = format!("url = {:?}\nexcept = [\".test\"]", egress.url());
    let world = hidden(&authority, &ca, &proxy).start().await;
    egress.lead("engine.test:443", world.tenant.address());
    // Nobody but the egress proxy knows this name.
    assert_eq!(world.visit("ada", SALES_APP).closed().await.0, 4211);
    assert!(egress.asked().is_empty());
}
