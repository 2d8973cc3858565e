//! The users of a tenant: found by their subject, byte for byte, and created where there is none.
//!
//! Shapes: <https://qlik.dev/apis/rest/users>. The admin token goes to the users' API alone.

use std::sync::Arc;
use std::time::Duration;

use http::header::AUTHORIZATION;
use http::{HeaderValue, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;
use url::Url;

use super::oauth::Tokens;
use crate::config::{Admins, Provision};
use crate::credential::asking::{Answer, send};
use crate::credential::error::{CredentialError, Misfit, Trouble};
use crate::credential::explain::At;
use crate::credential::identity::Identity;
use crate::credential::keeper::Keeper;
use crate::credential::keepers::Name;
use crate::credential::outcome::Outcomes;
use crate::credential::tempo::Tempo;
use crate::credential::{Credential, Lent};

/// How long one request to the users' API may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The users' API, and the client that may use it.
pub(super) struct Users {
    url: Url,
    admins: Admins,
    admin: Arc<Keeper>,
    /// How the users' API fares: its failures say nothing of any token endpoint.
    tempo: Arc<Tempo>,
    /// What the admin client's fetches come to, which no route is charged with.
    outcomes: Arc<Outcomes>,
    http: reqwest::Client,
    setup: Vec<u8>,
}

impl Users {
    pub(super) fn new(config: Provision, lent: Lent<'_>) -> Result<Self, CredentialError> {
        let pace = config.admin.client.pace;
        let tokens = Tokens::new(config.admin, lent)?;
        let name = tokens.identify(&[b"oauth"]);
        let account = Name::of(&[
            b"users",
            config.users_url.as_str().as_bytes(),
            &name.bytes(),
        ]);
        let told = format!("{} {:?} {pace:?} ", config.users_url, config.admins);
        let setup = [told.as_bytes(), &name.bytes()].concat();
        Ok(Self {
            url: config.users_url,
            admins: config.admins,
            admin: lent.keepers.keeper(name, tokens, pace),
            tempo: lent.keepers.tempo(account, pace),
            outcomes: Arc::default(),
            http: lent.http.clone(),
            setup,
        })
    }

    /// What it is set up from.
    pub(super) fn identity(&self) -> Vec<u8> {
        self.setup.clone()
    }

    /// How the users' API fares.
    pub(super) fn tempo(&self) -> Arc<Tempo> {
        Arc::clone(&self.tempo)
    }

    /// The id of the one user who has this subject; without one, of a new one.
    pub(super) async fn find_or_create(
        &self,
        newcomer: &Newcomer<'_>,
    ) -> Result<String, CredentialError> {
        self.tempo.clear(Instant::now())?;
        let user = self.user(newcomer).await;
        match &user {
            Ok(_) => self.tempo.calm(),
            Err(error) => self.tempo.learn(error, Instant::now()),
        }
        user
    }

    async fn user(&self, newcomer: &Newcomer<'_>) -> Result<String, CredentialError> {
        let subject = newcomer.subject;
        if let Some(user) = self.find(subject).await? {
            return self.judge(user);
        }
        match self.create(newcomer).await? {
            Some(user) if user.subject == subject => Ok(user.id),
            Some(_) => Err(CredentialError::Unfit(Misfit::Ambiguous)),
            // Somebody else was faster, or there is one who is only spelt alike.
            None => match self.find(subject).await? {
                Some(user) => self.judge(user),
                None => Err(CredentialError::Unfit(Misfit::Ambiguous)),
            },
        }
    }

    async fn find(&self, subject: &str) -> Result<Option<User>, CredentialError> {
        let mut url = self.url.clone();
        let filter = format!("subject eq \"{}\"", escape(subject));
        url.query_pairs_mut().append_pair("filter", &filter);
        let answer = self.ask(&self.http.get(url)).await?.accept()?;
        let page: Page = answer
            .json("is not a page of users")
            .map_err(|trouble| CredentialError::Down(At::Users, trouble))?;
        let mut exact = page.data.into_iter().filter(|user| user.subject == subject);
        match (exact.next(), exact.next()) {
            (Some(_), Some(_)) => Err(CredentialError::Unfit(Misfit::Ambiguous)),
            (found, _) => Ok(found),
        }
    }

    /// A new user; `None` when there is one already.
    async fn create(&self, newcomer: &Newcomer<'_>) -> Result<Option<User>, CredentialError> {
        let user = newcomer.described().map_err(CredentialError::Unfit)?;
        // Qlik counts it like a token.
        let turn = self.admin.take_turn().await;
        turn.map_err(CredentialError::elsewhere)?;
        let asked = self
            .ask(&self.http.post(self.url.clone()).json(&user))
            .await?;
        if asked.answer.status == StatusCode::CONFLICT {
            return Ok(None);
        }
        let user = asked.accept()?.json("is not a user");
        user.map(Some)
            .map_err(|trouble| CredentialError::Down(At::Users, trouble))
    }

    /// Asks in the admin client's name, and once more when its token is not taken.
    async fn ask(&self, request: &reqwest::RequestBuilder) -> Result<Asked, CredentialError> {
        let everybody = Identity::default;
        let token = self.admin.obtain(everybody(), &self.outcomes).await;
        let token = token.map_err(CredentialError::elsewhere)?;
        let asked = ask_with(request, &token).await?;
        if asked.answer.status != StatusCode::UNAUTHORIZED {
            return Ok(asked);
        }
        let renewed = self
            .admin
            .renew(everybody(), token.generation, &self.outcomes);
        let renewed = renewed.await.map_err(CredentialError::elsewhere)?;
        ask_with(request, &renewed).await
    }

    /// Whether a user may be impersonated.
    fn judge(&self, user: User) -> Result<String, CredentialError> {
        if user.status.as_deref() != Some("active") {
            return Err(CredentialError::Unfit(Misfit::Inactive));
        }
        if self.admins == Admins::Impersonate {
            return Ok(user.id);
        }
        match user.is_admin() {
            Some(false) => Ok(user.id),
            Some(true) => Err(CredentialError::Unfit(Misfit::Admin)),
            None => Err(CredentialError::Unfit(Misfit::RolesUnknown)),
        }
    }
}

/// Whom a user is made for, if there is none.
pub(super) struct Newcomer<'a> {
    pub(super) subject: &'a str,
    /// Empty where the claims do not give it.
    pub(super) name: &'a str,
    /// Likewise; `None` where new users have none.
    pub(super) email: Option<&'a str>,
}

impl Newcomer<'_> {
    fn described(&self) -> Result<Value, Misfit> {
        if self.name.is_empty() {
            return Err(Misfit::Nameless);
        }
        let mut user = json!({"name": self.name, "subject": self.subject, "status": "active"});
        match self.email {
            Some("") => return Err(Misfit::Unaddressed),
            Some(email) => user["email"] = json!(email),
            None => {}
        }
        Ok(user)
    }
}

/// An answer, and what of the request nobody may see.
struct Asked {
    answer: Answer,
    secrets: Vec<String>,
}

impl Asked {
    fn accept(self) -> Result<Answer, CredentialError> {
        self.answer.accept(&self.secrets)
    }
}

async fn ask_with(
    request: &reqwest::RequestBuilder,
    token: &Credential,
) -> Result<Asked, CredentialError> {
    let unclonable = || CredentialError::Down(At::Users, Trouble::BrokenOff);
    let mut request = request.try_clone().ok_or_else(unclonable)?;
    let mut secrets = Vec::new();
    for (name, value) in token.injection().headers() {
        request = request.header(name, value);
        secrets.extend(word(value).filter(|_| name == AUTHORIZATION));
    }
    let answer = send(At::Users, request, TIMEOUT, &secrets).await?;
    Ok(Asked { answer, secrets })
}

/// The token of an `Authorization`.
fn word(value: &HeaderValue) -> Option<String> {
    let (_, token) = value.to_str().ok()?.split_once(' ')?;
    Some(token.to_owned())
}

/// A text as it stands between the quotes of a filter.
fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

#[derive(Deserialize)]
struct Page {
    data: Vec<User>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct User {
    id: String,
    subject: String,
    status: Option<String>,
    roles: Option<Vec<Value>>,
    assigned_roles: Option<Vec<Value>>,
}

impl User {
    /// Whether a role of an administrator is among the user's, if they are told.
    fn is_admin(&self) -> Option<bool> {
        let told = [&self.roles, &self.assigned_roles];
        let mut told = told.into_iter().flatten().peekable();
        told.peek()?;
        Some(told.flatten().any(is_admin_role))
    }
}

/// `TenantAdmin`, `AnalyticsAdmin`, …; a role without a name may be anything.
fn is_admin_role(role: &Value) -> bool {
    let name = role.as_str().or_else(|| role.get("name")?.as_str());
    name.is_none_or(|name| name.to_ascii_lowercase().contains("admin"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn user(fields: Value) -> User {
        let mut all = json!({"id": "1", "subject": "ada", "status": "active"});
        let (Value::Object(all), Value::Object(fields)) = (&mut all, fields) else {
            unreachable!()
        };
        all.extend(fields);
        serde_json::from_value(Value::Object(all.clone())).unwrap()
    }

    #[test]
    fn an_administrator_is_known_by_any_role() {
        let is_admin = |fields| user(fields).is_admin();
        assert_eq!(is_admin(json!({})), None);
        assert_eq!(is_admin(json!({"roles": []})), Some(false));
        assert_eq!(is_admin(json!({"roles": ["Developer"]})), Some(false));
        assert_eq!(is_admin(json!({"roles": ["TenantAdmin"]})), Some(true));
        assert_eq!(is_admin(json!({"roles": [7]})), Some(true));
        let assigned = json!({"roles": [], "assignedRoles": [{"name": "AnalyticsAdmin"}]});
        assert_eq!(is_admin(assigned), Some(true));
    }

    #[test]
    fn a_filter_cannot_be_left() {
        assert_eq!(escape(r#"x" or "" eq ""#), r#"x\" or \"\" eq \""#);
        assert_eq!(escape(r"x\"), r"x\\");
    }

    proptest! {
        #[test]
        fn an_escaped_text_has_no_quote_of_its_own(text in "[a\"\\\\]{0,12}") {
            let mut escaped = escape(&text).into_bytes().into_iter();
            let mut back = Vec::new();
            while let Some(byte) = escaped.next() {
                prop_assert_ne!(byte, b'"');
                back.extend(if byte == b'\\' { escaped.next() } else { Some(byte) });
            }
            prop_assert_eq!(back, text.into_bytes());
        }
    }
}
