//! `[replicas]`.

use super::{Case, check};

#[test]
fn every_mistake_is_told() {
    check(CASES);
}

const CASES: &[Case] = &[
    Case {
        name: "replicas without a key of their own",
        edits: &[(
            "identity_key = { env = \"IDENTITY\" }\n",
            "[replicas]\nurl = \"redis://localhost\"\n",
        )],
        mistakes: &[
            "1:1 `identity_key` is missing beside `replicas`: what replicas tell each other is sealed under it | write `identity_key = { env = \"QIX_IDENTITY_KEY\" }`",
        ],
    },
    Case {
        name: "replicas nowhere, under everybody's keys",
        edits: &[(
            "[listen]\n",
            "[replicas]\nprefix = \"\"\nstream = \"x\"\n[listen]\n",
        )],
        mistakes: &[
            "2:1 `url` is missing in [replicas] | write `url = \"rediss://redis.example.com:6379/0\"`",
            "3:10 `prefix` is empty | write a text in quotes, or leave `prefix` out",
            "4:1 [replicas] has no key `stream` | known here: `url`, `username`, `password`, `ca`, `allow_plain`, `prefix`, `credential_keys`",
        ],
    },
    Case {
        name: "replicas with keys that are none",
        edits: &[(
            "[listen]\n",
            "[replicas]\nurl = \"rediss://r.example\"\ncredential_keys = [{ env = \"SHORT\" }, \"x\"]\n[listen]\n",
        )],
        mistakes: &[
            "4:20 this secret has 31 bytes; it needs 32 or more | make one with `openssl rand -hex 32`",
            "4:39 `credential_keys` is a secret: it never stands in the config | write { env = \"NAME_OF_A_VARIABLE\" } or { file = \"/path/of/a/file\" }",
        ],
    },
    Case {
        name: "a Redis as browsers would put it right",
        edits: &[(
            "[listen]\n",
            "[replicas]\nurl = \"redis://localhost/0 \"\n[listen]\n",
        )],
        mistakes: &[
            r#"3:7 this is no URL | write a URL in quotes, such as "rediss://redis.example.com:6379/0", or { env = "…" }"#,
        ],
    },
    Case {
        name: "a database that is no number",
        edits: &[(
            "[listen]\n",
            "[replicas]\nurl = \"redis://localhost//+1\"\n[listen]\n",
        )],
        mistakes: &[
            r#"3:7 a Redis URL is host, port and database | write a URL in quotes, such as "rediss://redis.example.com:6379/0", or { env = "…" }"#,
        ],
    },
    Case {
        name: "replicas over plain TCP",
        edits: &[(
            "[listen]\n",
            "[replicas]\nurl = \"redis://r.example\"\n[listen]\n",
        )],
        mistakes: &[
            "3:7 plain redis:// to another machine can be read and changed on the way | write rediss://, or `allow_plain = true` in this table if that way is trusted",
        ],
    },
];
