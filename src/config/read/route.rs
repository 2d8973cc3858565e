//! `[[route]]`: its path and hosts, who may knock, and the four questions.

use std::cell::RefCell;
use std::sync::Arc;

use url::Url;

use super::{access, customers, session};
use crate::config::defaults;
use crate::config::model::{
    ClientsWithoutOrigin, Qlik, RefusalStyle, RelayLimits, Route, SessionCheck,
};
use crate::config::notes::Noted;
use crate::config::table::Table;
use crate::config::value::{HostName, OneOrMore, Positive, Size, WebUrl};
use crate::config::values::RoutePath;
use crate::id::RouteName;

/// What other routes of the file have taken already.
#[derive(Default)]
pub(super) struct Taken {
    names: Vec<String>,
    paths: Vec<(RoutePath, Vec<String>)>,
}

/// One route.
pub(super) fn route(t: &mut Table<'_>, taken: &RefCell<Taken>) -> Result<Route, Noted> {
    let place = place(t, taken);
    let origins = t.required(
        "origins",
        "[\"https://app.example.com\"]",
        "Who may open a websocket here: scheme, host and port exactly as a browser sends them.",
    );
    let clients = clients(t);
    let refusal = refusal(t);
    let login = login(t);
    let (sessions, sessions_print) = t.printed("session", |t| sessions(t, clients));
    let access = t.required_table(
        "access",
        "apps = [\"…\"]",
        "2: what may they open and do?",
        access::access,
    );
    let qlik = customers::qlik(t);
    let limits = t.table("limits", "Limits of a relayed socket.", limits);
    if let (Ok(sessions), Ok(qlik)) = (&sessions, &qlik) {
        demand_a_token(t, sessions, qlik)?;
    }
    let place = place?;
    let OneOrMore(origins) = origins?;
    Ok(Route {
        name: place.name,
        path: place.path,
        hosts: place.hosts,
        origins,
        clients_without_origin: clients?,
        refusal: refusal?,
        login: login?,
        sessions: sessions?,
        sessions_print,
        access: access?,
        qlik: qlik?,
        limits: Arc::new(limits?),
    })
}

fn clients(t: &mut Table<'_>) -> Result<ClientsWithoutOrigin, Noted> {
    t.or(
        "clients_without_origin",
        defaults::CLIENTS,
        "Clients that send no Origin are no browsers: \"refuse\" them, or admit them by \
         `Authorization: Bearer` (\"bearer\"), never by cookie.",
    )
}

fn refusal(t: &mut Table<'_>) -> Result<RefusalStyle, Noted> {
    t.or(
        "refusal",
        defaults::REFUSAL,
        "A page cannot read the status of a failed upgrade: \"accept-then-close\" tells it why by \
         close code; \"status\" answers with the status alone.",
    )
}

fn login(t: &mut Table<'_>) -> Result<Option<Url>, Noted> {
    let page: Result<Option<WebUrl>, _> = t.optional(
        "login",
        "The app's login page, where `{path}/login` leads; `returnto` goes along when it is a page \
         of `origins`.",
    );
    Ok(page?.map(|WebUrl(url)| url))
}

fn sessions(
    t: &mut Table<'_>,
    clients: Result<ClientsWithoutOrigin, Noted>,
) -> Result<Vec<SessionCheck>, Noted> {
    // A page takes its bearer to {path}/ticket, whatever clients without Origin may do.
    let bearers = if t.lists_kind("session", "ticket") {
        Ok(ClientsWithoutOrigin::Bearer)
    } else {
        clients
    };
    let sessions = t.required_tables(
        "session",
        "kind = \"jwt\"",
        "1: who is this? The first that finds a credential of its sort decides.",
        |t| session::check(t, bearers),
    )?;
    demand_a_check_for_tickets(t, &sessions)?;
    if let Ok(ClientsWithoutOrigin::Bearer) = clients {
        demand_a_bearer_check(t, &sessions)?;
    }
    Ok(sessions)
}

/// Where a route stands.
struct Place {
    name: RouteName,
    path: RoutePath,
    hosts: Vec<String>,
}

fn place(t: &mut Table<'_>, taken: &RefCell<Taken>) -> Result<Place, Noted> {
    let name: Result<Option<String>, _> = t.optional(
        "name",
        "Its name in logs and metrics; the path when it has none.",
    );
    let path: Result<RoutePath, _> = t.required(
        "path",
        "\"/qlik\"",
        "The path that the page's websocket URL begins with; \"/\" for all.",
    );
    let hosts: Result<Option<OneOrMore<HostName>>, _> =
        t.optional("hosts", "The host names it answers to; none for all.");
    let (name, path, hosts) = (name?, path?, hosts?);
    let hosts = hosts.map_or(Vec::new(), |OneOrMore(hosts)| hosts);
    let hosts: Vec<String> = hosts.into_iter().map(|HostName(host)| host).collect();
    let name = name.unwrap_or_else(|| path.to_string());
    let taken = &mut *taken.borrow_mut();
    claim_path(t, &path, &hosts, &mut taken.paths)?;
    claim_name(t, &name, &mut taken.names)?;
    Ok(Place {
        name: RouteName::new(name),
        path,
        hosts,
    })
}

fn claim_path(
    t: &Table<'_>,
    path: &RoutePath,
    hosts: &[String],
    taken: &mut Vec<(RoutePath, Vec<String>)>,
) -> Result<(), Noted> {
    let same = |other: &[String]| {
        let both_for_all = hosts.is_empty() && other.is_empty();
        both_for_all || hosts.iter().any(|host| other.contains(host))
    };
    if taken
        .iter()
        .any(|(other, theirs)| other == path && same(theirs))
    {
        return Err(t.refuse(
            "path",
            format!("another route has the path \"{path}\" already, for the same host"),
            "write another path, or other `hosts`",
        ));
    }
    taken.push((path.clone(), hosts.to_vec()));
    Ok(())
}

fn claim_name(t: &Table<'_>, name: &str, taken: &mut Vec<String>) -> Result<(), Noted> {
    if taken.iter().any(|other| other == name) {
        return Err(t.refuse(
            if t.has("name") { "name" } else { "path" },
            format!("another route is called {name:?} already"),
            "write a `name` of its own",
        ));
    }
    taken.push(name.to_owned());
    Ok(())
}

fn demand_a_bearer_check(t: &Table<'_>, sessions: &[SessionCheck]) -> Result<(), Noted> {
    let takes_bearer = |check: &SessionCheck| {
        matches!(check, SessionCheck::Introspection(_) | SessionCheck::Jwt(_))
    };
    if sessions.iter().any(takes_bearer) {
        return Ok(());
    }
    Err(t.refuse(
        "clients_without_origin",
        "no session of this route knows a client by `Authorization: Bearer`",
        "write \"refuse\", or add a [[route.session]] with `kind = \"jwt\"`",
    ))
}

fn demand_a_token(t: &Table<'_>, sessions: &[SessionCheck], qlik: &Qlik) -> Result<(), Noted> {
    let is_token = |check: &SessionCheck| {
        matches!(check, SessionCheck::Introspection(_) | SessionCheck::Jwt(_))
    };
    let wanted = || {
        qlik.homes()
            .any(|home| home.credential.wants_session_token())
    };
    if sessions.iter().any(is_token) || !wanted() {
        return Ok(());
    }
    let place = match qlik {
        Qlik::Customers(_) => "customers",
        Qlik::One(_) => "credential",
    };
    Err(t.refuse(
        place,
        "no session of this route is a token that could be exchanged or passed on",
        "add a [[route.session]] with `kind = \"jwt\"` or `kind = \"introspection\"`",
    ))
}

fn demand_a_check_for_tickets(t: &Table<'_>, sessions: &[SessionCheck]) -> Result<(), Noted> {
    let is_ticket = |check: &&SessionCheck| matches!(check, SessionCheck::Ticket(_));
    let tickets = sessions.iter().filter(is_ticket).count();
    if tickets > 1 {
        let what = "a route has one sort of tickets";
        return Err(t.refuse(
            "session",
            what,
            "keep one [[route.session]] of kind \"ticket\"",
        ));
    }
    if tickets == sessions.len() {
        let what = "nobody can get a ticket: no other session says who somebody is";
        let instead = "add a [[route.session]] of another kind, such as `kind = \"jwt\"`";
        return Err(t.refuse("session", what, instead));
    }
    Ok(())
}

fn limits(t: &mut Table<'_>) -> Result<RelayLimits, Noted> {
    let client_message = t.or(
        "client_message",
        Size(defaults::CLIENT_MESSAGE),
        "The largest message a client may send; a larger one ends the socket with 1009.",
    );
    let idle = t.or(
        "idle",
        Positive(defaults::IDLE),
        "Without a message either way for this long, the socket ends.",
    );
    let client_ping = t.or(
        "client_ping",
        Positive(defaults::CLIENT_PING),
        "How often the browser is pinged.",
    );
    let close_grace = t.or(
        "close_grace",
        Positive(defaults::CLOSE_GRACE),
        "How long a closing handshake or a half-sent frame gets.",
    );
    let write_stall = t.or(
        "write_stall",
        Positive(defaults::WRITE_STALL),
        "How long a reader may take nothing before it is cut.",
    );
    Ok(RelayLimits {
        client_message: client_message?.0,
        idle: idle?.0,
        client_ping: client_ping?.0,
        close_grace: close_grace?.0,
        write_stall: write_stall?.0,
    })
}
