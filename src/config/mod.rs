//! The config as the rest of the house reads it: finished, consistent, with every default filled in.
//!
//! A TOML text enters; a `Config` or the list of every mistake leaves. This room opens no file
//! but the secrets, certificates and keys that the config itself names, and no socket ever.

mod defaults;
mod mistake;
mod model;
mod node;
mod notes;
mod print;
mod read;
mod schema;
mod shape;
mod signing;
mod snippet;
mod sources;
mod steady;
mod syntax;
mod table;
#[cfg(test)]
mod tests;
mod unknown;
mod value;
mod values;

use std::path::Path;

use toml::de::DeTable;

use self::notes::Notes;
use self::snippet::Page;
use self::table::Table;

pub use mistake::{Mistakes, Remark, Warning};
pub use model::{
    Access, Admin, Admins, Algorithm, AnonymousEmbed, ApiKey, Apps, Attributes, BearerJwt, Carrier,
    ClientAuth, ClientCertificate, ClientProof, ClientsWithoutOrigin, CloudJwt, Config, Credential,
    Customer, Customers, DirectHost, EgressLogin, EgressProxy, Engine, EngineCertificate, Express,
    Fixed, Flavour, ForwardAuth, Home, Http2, Introspection, Jwks, Jwt, JwtKeys, JwtLogout,
    KeyFile, Limits, Listen, ListenAddress, ListenTls, Log, LogFormat, LookupField, Methods, OAuth,
    OAuthClient, OAuthImpersonation, Outbound, Pace, Place, Provision, ProxyService, ProxySession,
    Qlik, QseowHeader, QseowJwt, QseowService, Redis, RedisFormat, RedisServer, RedisTls,
    RefusalStyle, RelayLimits, Replicas, Route, Secret, SessionCheck, Shown, SignedToken,
    SigningKey, SocketFile, Spring, TicketRules, TokenExchange, TrustedHeader, WindowsUser,
    Wording,
};
pub use print::Print;
pub use schema::{customer_schema, schema};
pub use signing::{ANY, Sort, Taken, ready};
pub use sources::{Sources, System};
pub use steady::Steady;
pub use values::{
    CookieName, CookieNameMistake, Origin, OriginMistake, RoutePath, RoutePathMistake,
};

impl Config {
    /// Reads a config, or lists every mistake in it. `origin` is the file that `text` came from:
    /// mistakes name it, and relative paths count from its folder.
    pub fn parse(
        text: &str,
        origin: &Path,
        sources: &dyn Sources,
    ) -> Result<(Self, Vec<Warning>), Mistakes> {
        let page = Page::new(origin, text);
        let (tree, errors) = DeTable::parse_recoverable(text);
        let folder = origin.parent().unwrap_or(Path::new(""));
        let notes = Notes::new(sources, folder, syntax::damage(&errors));
        let (config, _) = Table::root(&notes, tree.get_ref()).run(read::config);
        notes.close(config, syntax::remarks(&errors, &page), &page)
    }
}
