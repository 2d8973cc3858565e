//! TLS on both sides, with certificates made on the spot.

use engine_sim::engine::SALES_APP;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::support::{Authority, Files, Recipe, soon};

#[tokio::test]
async fn the_public_door_speaks_tls() {
    let (authority, files) = (Authority::new(), Files::new());
    let tls = authority.door(&files);
    let recipe = Recipe::default().listen("head_timeout = \"500ms\"\n");
    let mut world = recipe.listen(&tls).start().await;
    // A client that says nothing is not waited for, and plain HTTP gets no answer of HTTP.
    let mut silent = TcpStream::connect(world.proxy.public).await.unwrap();
    soon(silent.read_to_end(&mut Vec::new())).await.unwrap();

    world.trust(&authority);
    let mut ada = world.visit("ada", SALES_APP).open().await;
    assert!(ada.open_doc(SALES_APP).await > 0);
    assert_eq!(world.connect("/qlik/app/x").closed().await.0, 4006);
    assert_eq!(
        world.http("GET", "/qlik/nothing").refused().await.status,
        404
    );
    let running = world.stop();
    assert_eq!(ada.closed().await.0, 4003);
    soon(running).await.unwrap();
}

/// An engine of that name behind TLS, and what the route says of it.
fn secure(authority: &Authority, name: &str, engine: &str) -> Recipe {
    let server = authority.server(name);
    let recipe = Recipe::default().tenant(move |tenant| tenant.tls(server));
    recipe.engine(engine)
}

#[tokio::test]
async fn an_engine_is_believed_by_a_file_of_cas() {
    let (authority, files) = (Authority::new(), Files::new());
    let ca = format!("ca = \"{}\"\n", files.write("ca.pem", &authority.pem()));
    let renamed = format!("{ca}server_name = \"engine.internal\"\n");
    for recipe in [
        secure(&authority, "127.0.0.1", &ca),
        secure(&authority, "127.0.0.1", &ca).impersonating(),
        secure(&authority, "engine.internal", &renamed),
        secure(&authority, "127.0.0.1", "").process(&format!("[outbound]\n{ca}")),
    ] {
        let world = recipe.start().await;
        let mut ada = world.visit("ada", SALES_APP).open().await;
        assert!(ada.open_doc(SALES_APP).await > 0);
        let end = ada.close(1000).await;
        soon(world.tenant.until(|state| state.sockets_open == 0)).await;
        assert_eq!(world.tenant.state().close_codes, [1000], "{end:?}");
    }
}

#[tokio::test]
async fn an_engine_that_is_not_believed_gets_no_request() {
    let (authority, other, files) = (Authority::new(), Authority::new(), Files::new());
    let ca = format!("ca = \"{}\"\n", files.write("ca.pem", &authority.pem()));
    let wrong = format!("ca = \"{}\"\n", files.write("other.pem", &other.pem()));
    let renamed = format!("{ca}server_name = \"engine.internal\"\n");
    // A file of CAs is believed alone, whatever else is believed.
    let besides = format!("[outbound]\n{ca}");
    for (name, recipe, code) in [
        ("no CA", secure(&authority, "127.0.0.1", ""), 4240),
        ("another CA", secure(&authority, "127.0.0.1", &wrong), 4240),
        (
            "another CA",
            secure(&authority, "127.0.0.1", &wrong).process(&besides),
            4240,
        ),
        (
            "another name",
            secure(&authority, "engine.internal", &ca),
            4240,
        ),
        (
            "another name",
            secure(&authority, "127.0.0.1", &renamed),
            4240,
        ),
        (
            "a token",
            secure(&authority, "127.0.0.1", &wrong).impersonating(),
            4211,
        ),
    ] {
        let world = recipe
            .route("clients_without_origin = \"bearer\"")
            .start()
            .await;
        assert_eq!(
            world.visit("ada", SALES_APP).closed().await.0,
            code,
            "{name}"
        );
        let program = world
            .connect(&format!("/qlik/app/{SALES_APP}"))
            .without("origin");
        let answer = program.bearer(&world.token("ada")).refused().await;
        let status = if code == 4240 { 502 } else { 503 };
        assert_eq!(answer.status, status, "{name}");
        assert!(world.tenant.requests().is_empty(), "{name}");
    }
}
