//! One way out: the proxy service's API, the virtual proxy and the sockets go through the egress proxy.

use std::net::SocketAddr;

use engine_sim::engine::SALES_APP;

use super::estate::{Kind, Plan};
use crate::support::{Egress, Files};

/// `qix:canary-egress`.
const LOGIN: &str = "Basic cWl4OmNhbmFyeS1lZ3Jlc3M=";

#[tokio::test]
async fn sessions_and_sockets_go_through_it() {
    for (kind, way) in [
        (Kind::Jwt, ["443", "443"].as_slice()),
        (Kind::Session, ["4243", "443", "443"].as_slice()),
        (Kind::Ticket, ["4243", "443", "443"].as_slice()),
    ] {
        let (files, egress) = (Files::new(), Egress::start(LOGIN).await);
        let password = files.write("password", "canary-egress");
        let outbound = format!(
            "[outbound.proxy]\nurl = {:?}\nuser = \"qix\"\npassword = {{ file = {password:?} }}\n",
            egress.url()
        );
        let credential = kind.credential().replace("@qps", "https://qlik.test:4243");
        let estate = Plan::of(kind)
            .credential(&credential)
            .engine("url = \"https://qlik.test/vp\"")
            .named(&["qlik.test"])
            .proxy(|proxy| proxy.hosts(&["qlik.test"]))
            .recipe(move |recipe| recipe.process(&outbound))
            .start()
            .await;
        egress.lead("qlik.test:443", address(&estate.windows.url()));
        egress.lead("qlik.test:4243", address(&estate.windows.qps_url()));
        estate.world.keep("canary-egress".to_owned());
        estate.open("ada", SALES_APP).await.is_alive().await;
        let way: Vec<String> = way.iter().map(|port| format!("qlik.test:{port}")).collect();
        assert_eq!(egress.asked(), way, "{kind:?}");
    }
}

fn address(url: &str) -> SocketAddr {
    url.trim_start_matches("https://").parse().unwrap()
}
