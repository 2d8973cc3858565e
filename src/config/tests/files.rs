//! The files in `config/` are read as they are.

use std::env::VarError;
use std::path::{Path, PathBuf};
use std::{fs, io};

use secrecy::ExposeSecret;

use super::stand_in::{StandIn, parse};
use crate::config::{
    Apps, Config, Credential, Home, JwtKeys, Qlik, RedisTls, Route, SessionCheck, Sources, System,
    customer_schema,
};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config")
}

fn annotated() -> String {
    fs::read_to_string(folder().join("qix-proxy.toml")).unwrap()
}

fn good(text: &str) -> Config {
    match parse(text) {
        Ok((config, _)) => config,
        Err(mistakes) => panic!("{mistakes}"),
    }
}

fn home(route: &Route) -> &Home {
    route.qlik.homes().next().unwrap()
}

#[test]
fn the_annotated_file_is_read() {
    let config = good(&annotated());
    assert_eq!(config.routes.len(), 1);
    let route = &config.routes[0];
    assert_eq!(route.name.as_str(), "/qlik");
    assert!(matches!(route.sessions[0], SessionCheck::Jwt(_)));
    assert!(matches!(route.sessions[1], SessionCheck::ForwardAuth(_)));
    assert!(matches!(route.sessions[2], SessionCheck::Introspection(_)));
    assert!(matches!(route.sessions[3], SessionCheck::Redis(_)));
    assert!(matches!(route.sessions[4], SessionCheck::Ticket(_)));
    assert!(matches!(route.sessions[5], SessionCheck::TrustedHeader(_)));
    let Credential::OAuthImpersonation(credential) = &home(route).credential else {
        panic!("{:?}", route.qlik);
    };
    let token_url = credential.oauth.client.token_url.as_str();
    assert_eq!(token_url, "https://tenant.eu.qlikcloud.com/oauth/token");
}

#[test]
fn the_examples_are_read() {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder().join("examples")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            continue;
        }
        let config = good(&fs::read_to_string(&path).unwrap());
        assert!(!config.routes.is_empty());
        names.push(path.file_stem().unwrap().to_string_lossy().into_owned());
    }
    names.sort();
    assert_eq!(
        names,
        [
            "anonymous-embed",
            "cloud-jwt",
            "cloud-private-key",
            "cloud-provision",
            "core-jwt",
            "core-passed-bearer",
            "customers",
            "engine-certificate",
            "forward-auth-impersonation",
            "gateway",
            "jwt-api-key",
            "local-core",
            "redis-express",
            "redis-spring",
            "replicas",
            "sidecar",
            "ticket",
            "token-exchange",
            "trusted-ingress",
            "trusted-ingress-certificate",
            "trusted-ingress-socket",
            "windows-header",
            "windows-jwt",
            "windows-session",
            "windows-ticket"
        ]
    );
}

#[test]
fn a_store_is_read_from_its_url() {
    let text = fs::read_to_string(folder().join("examples/redis-spring.toml")).unwrap();
    let config = good(&text);
    let SessionCheck::Redis(redis) = &config.routes[0].sessions[0] else {
        panic!("{:?}", config.routes[0].sessions);
    };
    let server = &redis.server;
    assert_eq!(server.host, "redis.example.com");
    assert_eq!((server.port, server.database), (6379, 3));
    assert_eq!(server.username.as_deref(), Some("u"));
    assert_eq!(server.tls, RedisTls::On(None));
    let password = server.password.as_ref().unwrap();
    assert_eq!(password.expose_secret(), "canary");
    assert!(!format!("{redis:?}").contains("canary"));
}

#[test]
fn an_engine_of_a_developer_is_read() {
    let text = fs::read_to_string(folder().join("examples/local-core.toml")).unwrap();
    let config = good(&text);
    let route = &config.routes[0];
    assert_eq!(home(route).engine.url.as_str(), "http://localhost:9076/");
    assert_eq!(route.access.apps, Apps::Any);
    assert!(route.path.segments().is_empty());
    assert!(matches!(home(route).credential, Credential::None));
    let SessionCheck::Jwt(jwt) = &route.sessions[0] else {
        panic!("{:?}", route.sessions);
    };
    assert!(matches!(jwt.keys, JwtKeys::Hmac(_)));
}

#[test]
fn the_example_of_a_customer_is_read() {
    let text = fs::read_to_string(folder().join("examples/customers/acme.toml")).unwrap();
    let schema = customer_schema();
    assert!(jsonschema::validate(&schema, &super::schema::json(&text)).is_ok());
    let path = folder().join("examples/customers.toml");
    let route = fs::read_to_string(&path).unwrap();
    let (config, _) = Config::parse(&route, &path, &Secrets).unwrap_or_else(|m| panic!("{m}"));
    let Qlik::Customers(customers) = &config.routes[0].qlik else {
        panic!("{:?}", config.routes[0].qlik);
    };
    let names: Vec<_> = customers.list.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["acme", "internal"]);
    assert_eq!(customers.list[0].value, "c0ffee00-acme");
}

/// The repository's own files, and secrets that are nowhere.
struct Secrets;

impl Sources for Secrets {
    fn variable(&self, name: &str) -> Result<String, VarError> {
        StandIn.variable(name)
    }

    fn file(&self, path: &Path) -> io::Result<Vec<u8>> {
        if path.starts_with("/run") {
            StandIn.file(path)
        } else {
            System.file(path)
        }
    }

    fn files(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        System.files(folder)
    }
}
