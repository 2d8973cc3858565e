//! An ingress is known by its socket file or by its certificate, where no address can tell it from
//! others.

use engine_sim::engine::SALES_APP;

use h2::client::Builder;

use crate::support::http2::{Ask, Visitor};
use crate::support::{Authority, Files, Knock, Recipe, World, soon};

fn recipe(peer: &str) -> Recipe {
    let session = format!(
        "[[route.session]]\nkind = \"trusted-header\"\npeers = [\"{peer}\"]\nsubject = \
         \"x-auth-request-user\"\n"
    );
    Recipe::default().session(&session)
}

fn knock(world: &World) -> Knock<'_> {
    let knock = world.connect(&format!("/qlik/app/{SALES_APP}"));
    knock.with("x-auth-request-user", "ada")
}

#[tokio::test]
async fn whoever_comes_by_the_socket_file_is_believed_where_it_is_named() {
    let files = Files::new();
    let path = files.path("qix.sock");
    for (peer, believed) in [("unix", true), ("127.0.0.0/8", false)] {
        let world = recipe(peer).socket_file(&path).start().await;
        if believed {
            knock(&world).open().await.is_alive().await;
            assert_eq!(world.upgrades()[0].header("x-auth-request-user"), None);
        } else {
            assert_eq!(knock(&world).closed().await.0, 4006, "{peer}");
            assert!(world.upgrades().is_empty());
        }
        let mut world = world;
        world.stop().await.unwrap();
        assert!(!std::path::Path::new(&path).exists(), "it is taken away");
    }
}

#[tokio::test]
async fn forwarded_addresses_are_believed_of_a_socket_file_where_it_is_named() {
    let files = Files::new();
    let path = files.path("qix.sock");
    for (trusted, client) in [("unix", "203.0.113.9"), ("127.0.0.0/8", "127.0.0.1")] {
        let listen = format!("trusted_proxies = [\"{trusted}\"]");
        let recipe = recipe("unix").socket_file(&path).listen(&listen);
        let mut world = recipe.start().await;
        let knock = knock(&world).with("x-forwarded-for", "198.51.100.7, 203.0.113.9");
        let mut ada = knock.open().await;
        ada.is_alive().await;
        let log = world.log_text();
        assert!(log.contains(client), "{trusted}: {log}");
        ada.close(1000).await;
        world.stop().await.unwrap();
    }
}

#[tokio::test]
async fn whoever_shows_a_certificate_of_the_named_authority_is_believed_and_nobody_else() {
    let (own, ingress, foreign) = (Authority::new(), Authority::new(), Authority::new());
    let files = Files::new();
    let tls = door(&files, &own, &ingress);
    let mut world = recipe("certificate").listen(&tls).start().await;

    world.trust(&own);
    assert_eq!(knock(&world).closed().await.0, 4006, "no certificate");
    assert!(world.upgrades().is_empty());

    world.speak(own.client_of(&ingress, "ingress.internal"));
    knock(&world).open().await.is_alive().await;
    assert_eq!(world.upgrades().len(), 1);

    let stranger = own.client_of(&foreign, "ingress.internal");
    let tcp = tokio::net::TcpStream::connect(world.proxy.public).await;
    let name = "app.example.com".try_into().unwrap();
    let tls = tokio_rustls::TlsConnector::from(stranger);
    let refused = async {
        let mut io = tls.connect(name, tcp.unwrap()).await?;
        // TLS 1.3 lets a client speak before it hears that it is refused.
        tokio::io::AsyncReadExt::read_u8(&mut io).await
    };
    assert!(soon(refused).await.is_err());
}

/// The TLS of a door that believes whom `ingress` certifies.
fn door(files: &Files, own: &Authority, ingress: &Authority) -> String {
    let ca = files.write("ingress-ca.pem", &ingress.pem());
    format!("{}client_ca = \"{ca}\"\n", own.door(files))
}

/// An ingress that speaks HTTP/2, with a certificate of its own.
async fn speak_http2(world: &World, own: &Authority, ingress: &Authority) -> Visitor {
    let mut tls = (*own.client_of(ingress, "ingress.internal")).clone();
    tls.alpn_protocols = vec![b"h2".to_vec()];
    let io = world.secure_http2(tls).await;
    world.greet_http2(io, &Builder::new()).await
}

#[tokio::test]
async fn whom_nobody_certifies_any_more_is_believed_no_more() {
    let (own, old, new) = (Authority::new(), Authority::new(), Authority::new());
    let files = Files::new();
    let tls = door(&files, &own, &old);
    let world = recipe("certificate").listen(&tls).start().await;
    let visit = || {
        let ask = Ask::websocket(&format!("/qlik/app/{SALES_APP}"));
        ask.with("x-auth-request-user", "ada")
    };
    let mut ingress = speak_http2(&world, &own, &old).await;
    let mut ada = ingress.open(visit()).await;

    // What is written is the same; what the file holds is not.
    assert!(world.reload(&world.config.read()).await);
    ada.is_alive().await;
    ingress.open(visit()).await.is_alive().await;
    files.write("ingress-ca.pem", &new.pem());
    assert!(world.reload(&world.config.read()).await);
    assert_eq!(ada.closed().await.0, 4003);
    let upgrades = world.upgrades().len();
    let (answer, _up) = ingress.begin(visit()).await;
    let refused = soon(answer).await.unwrap_err();
    assert_eq!(refused.reason(), Some(h2::Reason::REFUSED_STREAM));
    soon(&mut ingress.over).await.unwrap().unwrap();
    assert_eq!(world.upgrades().len(), upgrades);

    let mut ingress = speak_http2(&world, &own, &new).await;
    ingress.open(visit()).await.is_alive().await;
}
