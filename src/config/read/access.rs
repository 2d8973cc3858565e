//! `[route.access]`: what may they open and do?

use crate::config::defaults;
use crate::config::model::{Access, Apps};
use crate::config::notes::Noted;
use crate::config::table::Table;
use crate::config::value::AppList;
use crate::person::ClaimPath;

/// What a person may open and do.
pub(super) fn access(t: &mut Table<'_>) -> Result<Access, Noted> {
    let apps: Result<Option<AppList>, _> = t.optional(
        "apps",
        "The apps by id, or \"any\" for every app that Qlik lets the credential open.",
    );
    let claim: Result<Option<ClaimPath>, _> = t.optional(
        "apps_claim",
        "The claim that lists a person's apps, by name or JSON pointer.",
    );
    let names = &["apps", "apps_claim"];
    let one = t.exactly_one(names);
    let methods = t.or(
        "methods",
        defaults::METHODS,
        "The calls: \"consumer\" looks and selects, without script, reload, connection, save, publish, \
         administration and export; \"any\" is every call.",
    );
    let session_apps = t.or("session_apps", false, "Whether session apps may be made.");
    one?;
    let listed = apps?.map(|AppList(apps)| apps);
    let claimed = claim?.map(Apps::Claimed);
    let apps = listed.or(claimed).ok_or_else(|| t.lacks(names))?;
    let session_apps = session_apps?;
    if apps == Apps::Listed(Vec::new()) && !session_apps {
        let what = "`apps` is empty, so nobody can open anything";
        return Err(t.refuse("apps", what, "write the ids of apps, or \"any\""));
    }
    Ok(Access {
        apps,
        methods: methods?,
        session_apps,
    })
}
