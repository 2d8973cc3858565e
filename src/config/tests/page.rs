//! How mistakes look on the operator's screen.

use super::stand_in::{BASE, parse};

fn page(from: &str, to: &str) -> String {
    assert!(BASE.contains(from));
    parse(&BASE.replacen(from, to, 1)).unwrap_err().to_string()
}

#[test]
fn mistakes_stand_in_blocks_in_the_order_of_the_file() {
    let page = page(
        "apps = \"any\"",
        "\tapps = [\"ü\", 7] # canary\nsession_aps = true",
    );
    let expected = r#"config.toml:14:15: `apps` cannot be an integer
 14 |  apps = ["ü", 7] …
    |               ^
    = write a text in quotes

config.toml:15:1: [route.access] has no key `session_aps`
 15 | session_aps = …
    | ^^^^^^^^^^^
    = write `session_apps`"#;
    assert_eq!(page, expected);
}

#[test]
fn a_secret_is_blotted_out() {
    let page = page(
        "kind = \"none\"\n# it asks for nothing",
        "kind = \"api-key\"\nkey = \"canary\"\nshared = true",
    );
    let expected = "config.toml:17:7: `key` is a secret: it never stands in the config
 17 | key = …
    |       ^
    = write { env = \"NAME_OF_A_VARIABLE\" } or { file = \"/path/of/a/file\" }";
    assert_eq!(page, expected);
}

#[test]
fn a_long_line_is_cut() {
    let long = format!("path = \"/{}%\"", "x".repeat(1000));
    let page = page("path = \"/qlik\"", &long);
    assert!(
        page.lines().all(|line| line.chars().count() < 130),
        "{page}"
    );
}
