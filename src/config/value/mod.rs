//! How each sort of value is written, read and described.

mod choice;
mod egress;
mod include;
mod list;
mod lively;
mod network;
mod number;
mod place;
mod redis;
mod secret;
mod template;
mod text;
mod web;

pub(super) use egress::ProxyUrl;
pub(super) use include::{Handle, Include};
pub(super) use list::{AppList, OneOrMany, OneOrMore};
pub(super) use lively::{LiveKey, LiveLong, LiveSecret};
pub(super) use network::Mode;
pub(super) use number::{Count, OrNever, Positive, Size};
pub(super) use redis::{Layout, RedisUrl};
pub(super) use secret::{
    Authorities, Bundle, Certificate, CookieSecret, LongSecret, PrivateKey, PublicKey, SecretText,
    pair,
};
pub(super) use text::{HostName, HttpHeader, Level};
pub(super) use web::{EngineUrl, WebUrl, is_plain};
