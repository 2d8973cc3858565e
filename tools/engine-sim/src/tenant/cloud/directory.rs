//! The users of a tenant, as its API has them.

use std::sync::Mutex;

use serde_json::{Value, json};

use super::super::lock::hold;

/// Every user; none are known of by default, and then anybody can be impersonated.
#[derive(Default)]
pub(crate) struct Directory {
    accounts: Mutex<Option<Vec<Account>>>,
    /// Whether the next user to be created is created by somebody else just before.
    rival: Mutex<bool>,
}

/// One user.
#[derive(Clone, Debug)]
pub(super) struct Account {
    pub(super) id: String,
    pub(super) subject: String,
    name: String,
    email: Option<String>,
    roles: Vec<String>,
    active: bool,
}

impl Account {
    pub(super) fn new(subject: &str, name: &str, email: Option<&str>) -> Self {
        Self {
            id: format!("{:024x}", rand::random::<u64>()),
            subject: subject.to_owned(),
            name: name.to_owned(),
            email: email.map(str::to_owned),
            roles: Vec::new(),
            active: true,
        }
    }

    pub(super) fn json(&self) -> Value {
        let roles = self.roles.iter().map(|name| json!({ "name": name }));
        json!({
            "id": self.id, "subject": self.subject, "name": self.name, "email": self.email,
            "status": if self.active { "active" } else { "disabled" },
            "assignedRoles": roles.collect::<Vec<_>>(),
        })
    }
}

impl Directory {
    /// Knows its users from now on.
    pub(in crate::tenant) fn open(&self) {
        hold(&self.accounts).get_or_insert_default();
    }

    /// Adds a user with roles.
    pub(in crate::tenant) fn add(&self, subject: &str, roles: &[&str]) {
        let mut account = Account::new(subject, subject, None);
        account.roles = roles.iter().map(|role| (*role).to_owned()).collect();
        hold(&self.accounts).get_or_insert_default().push(account);
    }

    /// Lets somebody else create the next user first.
    pub(in crate::tenant) fn expect_a_rival(&self) {
        self.open();
        *hold(&self.rival) = true;
    }

    /// The id of a user by subject or id, when users are known; `Err`: there is none who is active.
    pub(in crate::tenant) fn look_up(
        &self,
        by_id: bool,
        value: &str,
    ) -> Option<Result<String, ()>> {
        let accounts = hold(&self.accounts);
        let found = accounts.as_ref()?.iter().find(|account| {
            let field = if by_id { &account.id } else { &account.subject };
            account.active && field == value
        });
        Some(found.map(|account| account.id.clone()).ok_or(()))
    }

    /// Those whose subject is this one, but for upper and lower case.
    pub(super) fn spelt_like(&self, subject: &str) -> Vec<Account> {
        let accounts = hold(&self.accounts);
        let all = accounts.iter().flatten();
        all.filter(|account| account.subject.eq_ignore_ascii_case(subject))
            .cloned()
            .collect()
    }

    /// A new user, unless there is one of this subject.
    pub(super) fn create(&self, account: &Account) -> Option<Account> {
        let rival = std::mem::take(&mut *hold(&self.rival));
        let taken = !self.spelt_like(&account.subject).is_empty();
        if !taken {
            let mut accounts = hold(&self.accounts);
            accounts.get_or_insert_default().push(account.clone());
        }
        (!taken && !rival).then(|| account.clone())
    }
}
