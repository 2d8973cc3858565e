//! What is allowed but should be known.

use std::time::Duration;

use super::stand_in::{BASE, parse};
use crate::config::{Carrier, SessionCheck};

fn warnings(from: &str, to: &str) -> Vec<String> {
    assert!(BASE.contains(from));
    let (_, warnings) = parse(&BASE.replacen(from, to, 1)).unwrap();
    warnings.iter().map(ToString::to_string).collect()
}

#[test]
fn a_good_config_has_none() {
    assert!(warnings("", "").is_empty());
}

#[test]
fn no_identity_key_is_told() {
    assert_eq!(
        warnings("identity_key = { env = \"IDENTITY\" }", ""),
        [
            "config.toml:1:1: without `identity_key`, engine sessions are not found again after a \
             restart, and differ between replicas; write `identity_key = { env = \
             \"QIX_IDENTITY_KEY\" }`"
        ]
    );
}

#[test]
fn an_admin_door_for_other_machines_is_told() {
    let secured = "token = { env = \"ADMIN\" }\n\
                   tls = { certificate = \"server.pem\", key = \"server-key.pem\" }\n";
    for more in ["", secured] {
        let admin = format!("[admin]\naddress = \"0.0.0.0:9090\"\n{more}[[route]]");
        assert_eq!(
            warnings("[[route]]", &admin),
            [
                "config.toml:5:11: the operators' door is open to other machines, and it asks nobody \
                 who they are; let only the probes and the metrics scraper reach it"
            ],
            "{more}"
        );
    }
}

#[test]
fn http2_at_a_plain_door_is_told() {
    assert_eq!(
        warnings("[[route]]", "[listen.http2]\nstreams = 9\n[[route]]"),
        [
            "config.toml:5:11: `streams` says nothing without [listen.tls]: a plain door speaks \
             HTTP/1.1; write [listen.tls], or leave it out"
        ]
    );
}

#[test]
fn sessions_without_an_id_are_told() {
    let start = BASE.find("kind = \"jwt\"").unwrap();
    let end = BASE.find("[route.access]").unwrap();
    let forward_auth = "kind = \"forward-auth\"\nurl = \"http://localhost:3000/me\"\n\
                        cookies = [\"s\"]\nsubject = \"id\"\n";
    assert_eq!(
        warnings(&BASE[start..end], forward_auth),
        [
            "config.toml:8:8: without `session`, all of a person's sessions share their engine \
             sessions: the subject stands in for the session id; write in `session` where the \
             answer carries a stable session id"
        ]
    );
}

#[test]
fn tickets_carry_the_bearer_of_a_route_without_cookies() {
    let bearer_only = "audience = \"a\"\n[[route.session]]\nkind = \"ticket\"\n";
    let text = BASE.replace("cookie = \"s\"\n", "");
    assert!(parse(&text).is_err());
    let (config, _) = parse(&text.replace("audience = \"a\"\n", bearer_only)).unwrap();
    let [SessionCheck::Jwt(_), SessionCheck::Ticket(rules)] = &config.routes[0].sessions[..] else {
        panic!("other sessions");
    };
    assert_eq!(rules.life, Duration::from_secs(30));
    assert_eq!(rules.carriers, [Carrier::Query, Carrier::Subprotocol]);
}

#[test]
fn a_ping_that_wedges_the_other_side_is_told() {
    let url = "url = \"https://t.example\"";
    let windows = format!("{url}\nflavour = \"windows\"");
    assert!(warnings(url, &windows).is_empty());
    assert_eq!(
        warnings(url, &format!("{windows}\nping = \"20s\"")),
        [
            "config.toml:21:8: Qlik's proxy service on Windows wedges on a ping: the next call is \
             never answered; write `ping = \"never\"`, or leave it out"
        ]
    );
}
