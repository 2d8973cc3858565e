//! Nothing secret gets out, whatever the kind: not to a page, a program, the operators' door or the log.
//! The estate looks for each secret in all of that as it drops; here is seen to it that there is
//! something to be found.

use engine_sim::engine::SALES_APP;
use engine_sim::tenant::{LiveFault, Script, TokenFault};

use super::bare::CERTIFICATE;
use super::estate::{Estate, Kind, Plan};

/// Everything that tells an operator something.
async fn look_everywhere(estate: &Estate) {
    for path in ["/metrics", "/readyz", "/sockets"] {
        let told = estate.world.admin(path).await;
        estate.world.assert_blind(&told.body);
    }
}

#[tokio::test]
async fn every_kind_keeps_its_secrets_in_good_times_and_bad() {
    for kind in Kind::ALL {
        let plan = Plan::of(kind).with("session_linger = \"1ms\"");
        let estate = plan.start().await;
        estate.windows.script(Script::Token(TokenFault::Garbage));
        estate.world.visit("eve", SALES_APP).closed().await;
        let mut ada = estate.open("ada", SALES_APP).await;
        let text = r#"{"method":"OnNobodyKnows","params":{"logoutUri":"x"}}"#.to_owned();
        estate.windows.script(Script::Live(LiveFault::Say { text }));
        look_everywhere(&estate).await;
        ada.close(1000).await;
        estate.counted(ENDED).await;
        look_everywhere(&estate).await;
        let (secrets, upgrades) = (estate.windows.secrets(), estate.upgrades());
        let carried = |seen: &engine_sim::tenant::Seen| {
            let cookie = seen.header("cookie").unwrap_or_default();
            let shown =
                |secret: &&String| cookie.contains(*secret) || seen.target.contains(*secret);
            secrets.iter().filter(shown).count()
        };
        assert!(carried(&upgrades[0]) >= 2, "{kind:?}: a cookie and a token");
    }
}

#[tokio::test]
async fn a_client_certificate_keeps_its_key() {
    let plan = Plan::of(Kind::Header).credential(CERTIFICATE);
    let estate = plan.engine("url = \"@engine\"").start().await;
    estate.world.visit("ada", SALES_APP).open().await;
    look_everywhere(&estate).await;
    let keys = estate.windows.secrets();
    assert!(keys.iter().any(|secret| secret.contains("PRIVATE KEY")));
}

const ENDED: &str = "qix_proxy_credentials_total{route=\"/qlik\",outcome=\"ended\"}";
