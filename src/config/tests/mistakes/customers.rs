//! `[route.customers]` and `[[route.customer]]`.

use super::super::stand_in::{BASE, CUSTOMER, parse};
use super::{Case, check};
use crate::config::{Config, Qlik};

const OWN: &str = "[route.credential]\nkind = \"none\"\n# it asks for nothing\n[route.engine]\nurl = \
                   \"https://t.example\"\n";

/// The good config, with customers.
fn text(customers: &str) -> String {
    BASE.replacen(OWN, customers, 1)
}

fn told(customers: &str) -> Vec<String> {
    let mistakes = parse(&text(customers)).unwrap_err();
    let place = |mistake: &crate::config::Remark| {
        let file = mistake.file().display();
        let (line, column) = (mistake.line(), mistake.column());
        format!(
            "{file}:{line}:{column} {} | {}",
            mistake.what(),
            mistake.instead()
        )
    };
    mistakes.list().iter().map(place).collect()
}

fn customers(config: &Config) -> Vec<(&str, &str, &str)> {
    let Qlik::Customers(customers) = &config.routes[0].qlik else {
        panic!("{:?}", config.routes[0].qlik);
    };
    let list = customers.list.iter();
    list.map(|one| {
        (
            one.name.as_str(),
            one.value.as_str(),
            one.home.engine.url.as_str(),
        )
    })
    .collect()
}

#[test]
fn customers_stand_in_files_and_in_the_route() {
    let inline = "[[route.customer]]\nname = \"bolt\"\nvalue = \"B O/L*T\"\n\
                  [route.customer.access]\napps = [\"a\"]\n[route.customer.credential]\nkind = \"none\"\n\
                  [route.customer.engine]\nurl = \"https://bolt.example\"\n";
    let both = format!("[route.customers]\nclaim = \"t\"\ninclude = \"x/*.toml\"\n{inline}");
    let (config, warnings) = parse(&text(&both)).unwrap();
    let expected = [
        ("acme", "acme", "https://acme.example/"),
        ("zebra", "zebra", "https://zebra.example/"),
        ("bolt", "B O/L*T", "https://bolt.example/"),
    ];
    assert_eq!(customers(&config), expected);
    assert!(warnings.is_empty(), "{warnings:?}");
    let (config, _) = parse(&text(
        "[route.customers]\nclaim = \"t\"\ninclude = \"zebra.toml\"\n",
    ))
    .unwrap();
    assert_eq!(customers(&config).len(), 1);
    let (config, warnings) = parse(&text(
        "[route.customers]\nclaim = \"t\"\ninclude = \"empty/*\"\n",
    ))
    .unwrap();
    assert!(customers(&config).is_empty());
    assert!(warnings[0].to_string().contains("nobody is let in"));
}

#[test]
fn a_mistake_in_a_customers_file_is_told_with_its_place_there() {
    let told = told("[route.customers]\nclaim = \"t\"\ninclude = \"x/broken.toml\"\n");
    let expected = [
        "x/broken.toml:3:8 `kind` cannot be \"nothing\" | write ",
        "x/broken.toml:4:1 `url` is missing in [engine] | ",
        "x/broken.toml:5:1 [engine] has no key `uri` | write `url`",
    ];
    assert_eq!(told.len(), expected.len(), "{told:#?}");
    for (told, expected) in told.iter().zip(expected) {
        assert!(told.starts_with(expected), "{told}");
    }
}

#[test]
fn two_customers_of_one_name_or_one_value_are_refused_where_the_second_stands() {
    let told = told(
        "[route.customers]\nclaim = \"t\"\ninclude = \"x/acme.toml\"\n[[route.customer]]\nname = \
         \"acme\"\nvalue = \"b\"\ncredential = { kind = \"none\" }\nengine = { url = \
         \"https://b.example\" }\n[[route.customer]]\nname = \"b\"\nvalue = \"b\"\ncredential = { kind \
         = \"none\" }\nengine = { url = \"https://b.example\" }\n",
    );
    let expected = [
        "config.toml:19:8 another customer of the route has the name \"acme\" already | write a `name` of its own",
        "config.toml:25:9 another customer of the route has the value \"b\" already | write a `value` of its own",
    ];
    assert_eq!(told, expected);
}

#[test]
fn a_file_that_cannot_be_read_is_told_at_the_include() {
    for (include, expected) in [
        (
            "missing/*.toml",
            "config.toml:17:11 missing: cannot be looked into: ",
        ),
        ("missing", "config.toml:17:11 missing: cannot be read: "),
        ("*/x.toml", "config.toml:17:11 one `*` can stand here"),
        ("x/**", "config.toml:17:11 one `*` can stand here"),
        ("x/", "config.toml:17:11 one `*` can stand here"),
    ] {
        let told = told(&format!(
            "[route.customers]\nclaim = \"t\"\ninclude = \"{include}\"\n"
        ));
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].starts_with(expected), "{told:?}");
    }
}

#[test]
fn a_route_has_its_own_qlik_or_its_customers() {
    const CLAIM: &str = "[route.customers]\nclaim = \"t\"\n[route.engine]";
    check(&[
        Case {
            name: "both",
            edits: &[("[route.engine]", CLAIM)],
            mistakes: &[
                "18:1 `customers` cannot stand beside `engine` | keep `engine` or `customers`",
                "18:1 `customers` cannot stand beside `credential` | keep `credential` or `customers`",
            ],
        },
        Case {
            name: "a customer without a claim",
            edits: &[(
                "[route.engine]",
                "[[route.customer]]\nname = \"a b\"\ncredential = { kind = \"none\" }\nengine = { \
                 url = \"https://b.example\" }\n[route.engine]",
            )],
            mistakes: &[
                "18:1 `customer` says nothing without `customers` | leave `customer` out, or write `customers`",
                "19:8 a name has at most 64 letters, digits, `-`, `_` and `.` | write a short name in quotes, such as \"acme\"",
            ],
        },
    ]);
}

#[test]
fn the_print_of_the_sessions_is_of_what_they_say_and_of_the_secrets_they_name() {
    let print = |text: &str| parse(text).unwrap().0.routes[0].sessions_print;
    let of = |secret: &str| {
        BASE.replacen(
            "jwks = \"https://idp.example/jwks\"\n",
            &format!("secret = {{ env = \"{secret}\" }}\n"),
            1,
        )
    };
    assert_eq!(print(BASE), print(&format!("# a comment\n\n{BASE}")));
    let reordered = BASE.replacen(
        "kind = \"jwt\"\ncookie = \"s\"",
        "cookie = \"s\"\nkind = \"jwt\"",
        1,
    );
    assert_ne!(reordered, BASE);
    assert_eq!(print(BASE), print(&reordered));
    assert_ne!(
        print(BASE),
        print(&BASE.replacen("cookie = \"s\"", "cookie = \"t\"", 1))
    );
    assert_ne!(print(&of("A")), print(&of("B")));
}

#[test]
fn a_customers_file_has_a_schema() {
    let schema = crate::config::customer_schema();
    assert!(jsonschema::draft202012::meta::is_valid(&schema));
    let good = super::super::schema::json(CUSTOMER);
    assert!(jsonschema::validate(&schema, &good).is_ok());
    let bad = super::super::schema::json(&CUSTOMER.replace("url", "uri"));
    assert!(jsonschema::validate(&schema, &bad).is_err());
}
