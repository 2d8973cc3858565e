//! The engine's own port: whoever holds the client's certificate is whom `X-Qlik-User` says.

use std::{io, sync::Arc};

use http::{HeaderMap, Request, StatusCode};
use hyper::body::Incoming;
use percent_encoding::percent_decode_str;

use super::{estate::Estate, front::plain, person::Person};
use crate::{
    engine::SessionKey,
    tenant::{
        manner::Manner,
        place::Place,
        refusal::Answer,
        server::Door,
        shared::Shared,
        upgrade::{self, Arriving, Visit, shake_hands},
        wire::Cork,
    },
};

pub(super) struct EnginePort(pub(super) Arc<Estate>);

impl Door for EnginePort {
    fn shared(&self) -> &Arc<Shared> {
        &self.0.shared
    }

    async fn answer(&self, cork: Cork, request: Request<Incoming>) -> Result<Answer, io::Error> {
        let shared = &self.0.shared;
        let (head, body) = request.into_parts();
        let entry = shared.ledger.enter(&head);
        let arriving = Arriving {
            entry,
            cork,
            request: Request::from_parts(head, body),
        };
        let answer = upgrade::respond(shared, arriving, |request| admit(&self.0, request)).await?;
        Ok(answer.unwrap_or_else(plain))
    }
}

fn admit(estate: &Estate, request: &Request<Incoming>) -> Result<Visit, StatusCode> {
    let place = Place::parse(request.uri().path());
    let place = place.ok_or(StatusCode::NOT_FOUND)?;
    let answer = shake_hands(request).map_err(|_| StatusCode::UPGRADE_REQUIRED)?;
    let person = named(request.headers()).ok_or(StatusCode::FORBIDDEN)?;
    Ok(Visit {
        key: SessionKey {
            user: estate.known(person).engine_name(),
            app: place.app,
            identity: place.identity,
        },
        ttl: place.ttl,
        answer,
        manner: Manner::default(),
    })
}

/// `UserDirectory=<encoded>; UserId=<encoded>`, in either order, each once.
fn named(headers: &HeaderMap) -> Option<Person> {
    let mut lines = headers.get_all("x-qlik-user").iter();
    let (Some(line), None) = (lines.next(), lines.next()) else {
        return None;
    };
    let (mut directory, mut id) = (None, None);
    for part in line.to_str().ok()?.split(';') {
        let (name, value) = part.trim().split_once('=')?;
        let value = percent_decode_str(value).decode_utf8().ok()?.into_owned();
        let place = match name.to_ascii_lowercase().as_str() {
            "userdirectory" => &mut directory,
            "userid" => &mut id,
            _ => return None,
        };
        if place.replace(value).is_some() {
            return None;
        }
    }
    Person::new(&directory?, &id?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_a_directory_and_an_id_each_once() {
        let read = |line: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("x-qlik-user", line.parse().unwrap());
            named(&headers).map(|person| person.to_string())
        };
        assert_eq!(
            read("UserDirectory=CORP; UserId=ann").as_deref(),
            Some("CORP\\ann")
        );
        let encoded = read("UserId=a%3Bb%20c;UserDirectory=CO%3DRP");
        assert_eq!(encoded.as_deref(), Some("CO=RP\\a;b c"));
        for line in [
            "UserDirectory=CORP",
            "UserDirectory=CORP; UserId=ann; UserId=bob",
            "UserDirectory=CORP; UserId=",
            "UserDirectory=CORP; UserId=ann; Other=x",
            "ann",
        ] {
            assert_eq!(read(line), None, "{line}");
        }
    }
}
