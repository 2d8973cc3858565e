//! `[outbound]`: what every outgoing connection shares.

use crate::config::model::{DirectHost, EgressLogin, EgressProxy, Outbound};
use crate::config::notes::Noted;
use crate::config::table::Table;
use crate::config::value::{Authorities, ProxyUrl, SecretText};

/// What every outgoing connection shares.
pub(super) fn outbound(t: &mut Table<'_>) -> Result<Outbound, Noted> {
    let ca: Result<Option<Authorities>, _> = t.optional(
        "ca",
        "A PEM file of CAs to trust besides the system's, for every outgoing connection.",
    );
    let proxy = t.optional_table(
        "proxy",
        "A forward proxy that every outgoing connection goes through, but for Redis: engine \
         sockets, tokens, session checks. Variables such as HTTPS_PROXY are never looked at.",
        proxy,
    );
    Ok(Outbound {
        ca: ca?.map(|Authorities(path)| path),
        proxy: proxy?,
    })
}

fn proxy(t: &mut Table<'_>) -> Result<EgressProxy, Noted> {
    let url: Result<ProxyUrl, _> = t.required(
        "url",
        "\"http://egress.example.com:3128\"",
        "http://host:port of the forward proxy; it is asked to CONNECT, and what goes through is TLS \
         of its own where the target has it.",
    );
    let user: Result<Option<String>, _> = t.optional("user", "Who we are to it.");
    let password: Result<Option<SecretText>, _> =
        t.optional("password", "The password (`Proxy-Authorization: Basic`).");
    t.only_with("password", "user");
    let demanded = t.demanded_with(
        "password",
        "user",
        "{ env = \"EGRESS_PASSWORD\" }",
        "a user logs in by it",
    );
    let except: Result<Option<Vec<DirectHost>>, _> = t.optional(
        "except",
        "Hosts that are reached directly: by name or address, or by a domain that begins with a \
         dot. This very machine always is.",
    );
    let ProxyUrl(url) = url?;
    demanded?;
    let login = user?.zip(password?);
    let login = login.map(|(user, SecretText(password))| EgressLogin { user, password });
    if login.as_ref().is_some_and(|login| login.user.contains(':')) {
        let what = "a user of Basic authentication has no colon";
        return Err(t.refuse("user", what, "write the name alone"));
    }
    Ok(EgressProxy {
        url,
        login,
        except: except?.unwrap_or_default(),
    })
}
