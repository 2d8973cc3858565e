//! The second attempt at an engine that takes back its 101: Qlik on Windows says only after the
//! client's first message that it wants the person to sign in.

use std::sync::Arc;

use tracing::{info, warn};

use super::{Books, Call, Home, Refusal, for_log};
use crate::config::Flavour;
use crate::credential::Credential;
use crate::engine::{EngineIo, EngineSocket};
use crate::person::Person;
use crate::policy::Permit;
use crate::record::Ledger;
use crate::relay::{End, Second};

/// All that a second dial takes; it outlives the request.
pub(super) struct Redial {
    pub(super) home: Arc<Home>,
    pub(super) books: Books,
    pub(super) person: Person,
    pub(super) permit: Permit,
    pub(super) ledger: Arc<Ledger>,
    /// What the first dial was opened with.
    pub(super) refused: Credential,
}

impl Redial {
    /// The attempt, to be made when the engine asks for it; none at an engine that speaks alone.
    pub(super) fn into_second(self) -> Option<Second<EngineIo>> {
        let windows = self.home.place.flavour == Flavour::Windows;
        windows.then(|| Box::pin(self.run()) as Second<EngineIo>)
    }

    async fn run(self) -> Option<End<EngineIo>> {
        let opening = &self.ledger.opening;
        let (connection, route) = (opening.id.0, &opening.route);
        match self.dial().await {
            Ok(socket) => {
                info!(connection, %route, "the engine was opened with a fresh credential");
                let (io, early) = socket.into_parts();
                Some(End { io, early })
            }
            Err(refusal) => {
                let subject = for_log(self.person.subject().as_str());
                warn!(
                    connection, %route, subject, detail = %refusal,
                    "the engine did not take the credential, and there is no fresh one"
                );
                None
            }
        }
    }

    async fn dial(&self) -> Result<EngineSocket, Refusal> {
        let home = &self.home;
        let call = Call {
            home,
            person: &self.person,
            permit: &self.permit,
            identity: &self.ledger.opening.identity,
            offers: None,
            meters: &self.books.meters,
        };
        let (socket, _) = call.dial_afresh(&self.refused).await?;
        Ok(socket)
    }
}
