//! The binary: where it listens, its secrets from the environment, TLS, and a clean stop.

use std::{process::Stdio, sync::Arc};

use futures_util::StreamExt;
use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};
use rustls_pki_types::ServerName;
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::TcpStream,
    process::{Child, Command},
};
use tokio_rustls::TlsConnector;
use tokio_tungstenite::{client_async, tungstenite::client::IntoClientRequest};

struct Running {
    child: Child,
    url: String,
}

async fn run(arguments: &[&str]) -> Running {
    let mut child = Command::new(assert_cmd::cargo::cargo_bin!("engine-sim"))
        .args(arguments)
        .env("ENGINE_SIM_CLIENTS", "one=canary-one,two=canary-two")
        .env("ENGINE_SIM_API_KEY", "canary-key")
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .await
        .unwrap();
    let ready: Value = serde_json::from_str(&line).unwrap();
    Running {
        child,
        url: ready["listening"].as_str().unwrap().to_owned(),
    }
}

#[tokio::test]
async fn secrets_come_from_the_environment_and_sigterm_ends_it_clean() {
    let mut running = run(&["--client", "three=canary-three", "--user", "ann=id-ann"]).await;
    let url = format!("{}/__sim/secrets", running.url);
    let secrets = crate::support::http()
        .get(url)
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    for secret in ["canary-one", "canary-two", "canary-three", "canary-key"] {
        assert!(secrets.contains(secret), "{secret}");
    }

    let pid = running.child.id().unwrap().to_string();
    let killed = Command::new("kill")
        .args(["-TERM", &pid])
        .status()
        .await
        .unwrap();
    assert!(killed.success());
    assert!(running.child.wait().await.unwrap().success());
}

#[tokio::test]
async fn bad_arguments_are_refused_and_secrets_among_them_not_repeated() {
    assert!(
        complaint(&["--token-life", "soon"])
            .await
            .contains("s, m or h")
    );
    let complaint = complaint(&["--client", "canary-without-an-id"]).await;
    assert!(
        complaint.contains("joined by") && !complaint.contains("canary"),
        "{complaint}"
    );
}

#[tokio::test]
async fn with_a_certificate_it_speaks_tls() {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificate, key) = (
        folder.path().join("cert.pem"),
        folder.path().join("key.pem"),
    );
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let paths = [certificate.to_str().unwrap(), key.to_str().unwrap()];
    let running = run(&["--open", "--tls-cert", paths[0], "--tls-key", paths[1]]).await;

    let address = running.url.strip_prefix("https://").unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let stream = TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
        .unwrap();
    let request = "wss://localhost/app/a".into_client_request().unwrap();
    let (mut client, _) = client_async(request, stream).await.unwrap();

    let greeting = client.next().await.unwrap().unwrap();
    assert!(greeting.to_text().unwrap().contains("OnConnected"));
}

async fn complaint(arguments: &[&str]) -> String {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("engine-sim"));
    let output = command.args(arguments).output().await.unwrap();
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap()
}
