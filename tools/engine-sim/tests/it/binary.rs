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

#[tokio::test]
async fn as_windows_it_writes_an_export_and_says_its_three_ports() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("export");
    let into = folder.to_str().unwrap();
    let arguments = [
        "windows",
        "--certificates",
        into,
        "--header",
        "h=X-Person:CORP",
    ];
    let rest = [
        "--ticket",
        "t",
        "--session",
        "s",
        "--speaks",
        "at-once",
        "--http",
    ];
    let running = run(&[arguments.as_slice(), &rest].concat()).await;

    assert!(
        running.url.starts_with("http://127.0.0.1:"),
        "{}",
        running.url
    );
    assert!(folder.join("client_key.pem").exists());
    let url = running.url.replacen("http", "ws", 1) + "/h/app/a";
    let mut request = url.into_client_request().unwrap();
    let headers = request.headers_mut();
    headers.insert("x-person", "ann".parse().unwrap());
    let address = running.url.strip_prefix("http://").unwrap();
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut client, answer) = client_async(request, stream).await.unwrap();
    let cookie = answer.headers()["set-cookie"].to_str().unwrap();
    assert!(cookie.starts_with("X-Qlik-Session-h-HTTP="), "{cookie}");
    let first = client.next().await.unwrap().unwrap();
    assert!(
        first
            .to_text()
            .unwrap()
            .contains("OnAuthenticationInformation")
    );

    let tally = format!("{}/__sim/tally", running.url);
    let tally = crate::support::http().get(tally).send().await.unwrap();
    assert_eq!(tally.json::<Value>().await.unwrap()["sessions_opened"], 1);
    for bad in [
        ["--speaks", "later"],
        ["--strangers", "fed"],
        ["--release", "2025"],
    ] {
        let arguments = [&["windows", "--certificates", into], bad.as_slice()].concat();
        assert!(complaint(&arguments).await.contains("expected"), "{bad:?}");
    }
}

#[tokio::test]
async fn as_core_it_listens() {
    let running = run(&["core"]).await;
    let address = running.url.strip_prefix("http://").unwrap();
    let stream = TcpStream::connect(address).await.unwrap();
    let request = format!("ws://{address}/app/a")
        .into_client_request()
        .unwrap();
    let (mut client, _) = client_async(request, stream).await.unwrap();
    assert!(
        client
            .next()
            .await
            .unwrap()
            .unwrap()
            .to_text()
            .unwrap()
            .contains("OnConnected")
    );
}

async fn complaint(arguments: &[&str]) -> String {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("engine-sim"));
    let output = command.args(arguments).output().await.unwrap();
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap()
}
