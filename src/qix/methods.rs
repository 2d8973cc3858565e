//! The methods of QIX that a policy must know, a row each.
//!
//! Facts are those of enigma.js's schemas, from 2.1 to 12.2027: what the Global object has, and
//! which parameters name an app, by position and name. What a consumer may do is the house's.

use std::sync::LazyLock;

use self::Apps::{Named, NamedPerhaps, Open, Session, Untold};
use self::Consumer::{Denied, Permitted};
use self::Owner::{Global, Object};

/// What is known of a method.
#[derive(Debug)]
pub struct Method {
    /// Its name, exactly.
    pub name: &'static str,
    /// Whose method it is.
    pub owner: Owner,
    /// Whether a consumer may call it.
    pub consumer: Consumer,
    /// The apps that it is about, beside the one that is open.
    pub apps: Apps,
}

/// Whose method it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Owner {
    /// Of the Global object, and perhaps of an app as well.
    Global,
    /// Of an app or of an object in it.
    Object,
}

/// Whether a consumer may call a method.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Consumer {
    /// On no handle.
    Denied,
    /// Where it belongs.
    Permitted,
}

/// The apps that a method is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Apps {
    /// Those named by these parameters, each of which must be given.
    Named(&'static [Parameter]),
    /// The one named by this parameter, or the open one if it is empty or left out.
    NamedPerhaps(Parameter),
    /// None but the open one.
    Open,
    /// A new session app, made from those named by these parameters.
    Session(&'static [Parameter]),
    /// Others, and not told by a name: a listing, a file's path, calls within the call.
    Untold,
}

/// A parameter that names an app.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// Its position, from 0.
    pub position: usize,
}

/// Finds a method by its name in any case.
///
/// Who denies should go by what is found; who permits should compare [`Method::name`] as well.
#[must_use]
pub fn find(name: &str) -> Option<&'static Method> {
    let mut alike = BY_SUM[sum(name)].iter().copied();
    alike.find(|method| method.name.eq_ignore_ascii_case(name))
}

/// The methods whose names have this sum. A name is looked up for every call that is read; most are of
/// methods that are not listed, and of a sum that few or none have.
static BY_SUM: LazyLock<[Vec<&'static Method>; 256]> = LazyLock::new(|| {
    let mut by_sum = [const { Vec::new() }; 256];
    for method in METHODS {
        by_sum[sum(method.name)].push(method);
    }
    by_sum
});

/// The same in whatever case a name is written.
fn sum(name: &str) -> usize {
    let letters = name.bytes().map(|byte| byte.to_ascii_lowercase());
    letters.fold(0_u8, u8::wrapping_add).into()
}

const fn at(position: usize, name: &'static str) -> Parameter {
    Parameter { name, position }
}

const fn row(name: &'static str, owner: Owner, consumer: Consumer, apps: Apps) -> Method {
    Method {
        name,
        owner,
        consumer,
        apps,
    }
}

#[rustfmt::skip] // a row a method
const METHODS: &[Method] = &[
    // Global, for consumers: what the client libraries and gopherciser were seen to send, and
    // what tells of the engine alone.
    row("AbortAll", Global, Permitted, Open),
    row("AbortRequest", Global, Permitted, Open),
    row("AllowCreateApp", Global, Permitted, Open),
    row("CancelRequest", Global, Permitted, Open),
    row("CreateSessionApp", Global, Permitted, Session(&[])),
    row("CreateSessionAppFromApp", Global, Permitted, Session(&[at(0, "qSrcAppId")])),
    row("EngineVersion", Global, Permitted, Open),
    row("GetActiveDoc", Global, Permitted, Open),
    row("GetAuthenticatedUser", Global, Permitted, Open),
    row("GetBaseBNF", Global, Permitted, Open),
    row("GetBaseBNFHash", Global, Permitted, Open),
    row("GetBaseBNFString", Global, Permitted, Open),
    row("GetBNF", Global, Permitted, Open),
    row("GetConfiguration", Global, Permitted, Open),
    row("GetFunctions", Global, Permitted, Open),
    row("GetProgress", Global, Permitted, Open),
    row("IsDesktopMode", Global, Permitted, Open),
    row("IsPersonalMode", Global, Permitted, Open),
    row("OpenDoc", Global, Permitted, Named(&[at(0, "qDocName")])),
    row("ProductVersion", Global, Permitted, Open),
    row("QTProduct", Global, Permitted, Open),
    row("QvVersion", Global, Permitted, Open),
    // Global, the rest: other apps, the server and its files, connections, reloads.
    row("CancelReload", Global, Denied, Open),
    row("ConfigureReload", Global, Denied, Open),
    row("CopyApp", Global, Denied, Named(&[at(0, "qTargetAppId"), at(1, "qSrcAppId")])),
    row("CreateApp", Global, Denied, Named(&[at(0, "qAppName")])),
    row("CreateDocEx", Global, Denied, Named(&[at(0, "qDocName")])),
    row("DeleteApp", Global, Denied, Named(&[at(0, "qAppId")])),
    row("ExportApp", Global, Denied, Named(&[at(1, "qSrcAppId")])),
    row("GetAppEntry", Global, Denied, Named(&[at(0, "qAppID")])),
    row("GetCustomConnectors", Global, Denied, Open),
    row("GetDatabasesFromConnectionString", Global, Denied, Open),
    row("GetDefaultAppFolder", Global, Denied, Open),
    row("GetDocList", Global, Denied, Untold),
    row("GetFolderItemsForPath", Global, Denied, Open),
    row("GetInteract", Global, Denied, Open),
    row("GetLogicalDriveStrings", Global, Denied, Open),
    row("GetMyDocumentsFolder", Global, Denied, Open),
    row("GetOdbcDsns", Global, Denied, Open),
    row("GetOleDbProviders", Global, Denied, Open),
    row("GetStreamList", Global, Denied, Open),
    row("GetSupportedCodePages", Global, Denied, Open),
    row("GetUniqueID", Global, Denied, Open),
    row("ImportApp", Global, Denied, Untold),
    row("ImportAppEx", Global, Denied, Untold),
    row("InteractDone", Global, Denied, Open),
    row("IsValidConnectionString", Global, Denied, Open),
    row("OSName", Global, Denied, Open),
    row("OSVersion", Global, Denied, Open),
    row("PublishApp", Global, Denied, Named(&[at(0, "qAppId")])),
    row("ReloadExtensionList", Global, Denied, Open),
    row("ReplaceAppFromID", Global, Denied, Named(&[at(0, "qTargetAppId"), at(1, "qSrcAppID")])),
    row("ReplaceAppFromPath", Global, Denied, Untold),
    row("SaveAs", Global, Denied, Named(&[at(0, "qNewAppName")])),
    row("ShutdownProcess", Global, Denied, Open),
    row("UploadToContentService", Global, Denied, Named(&[at(1, "qAppId")])),
    // Script.
    row("CheckScriptSyntax", Object, Denied, Open),
    row("CommitScript", Object, Denied, Open),
    row("GetEmptyScript", Object, Denied, Open),
    row("GetIncludeFileContent", Object, Denied, Open),
    row("GetLineage", Object, Denied, Open),
    row("GetScript", Object, Denied, Open),
    row("GetScriptBreakpoints", Object, Denied, Open),
    row("GetScriptEx", Object, Denied, Open),
    row("GetScriptMeta", Object, Denied, Open),
    row("GetTextMacros", Object, Denied, Open),
    row("SetScript", Object, Denied, Open),
    row("SetScriptBreakpoints", Object, Denied, Open),
    // Reload.
    row("DoReload", Object, Denied, Open),
    row("DoReloadEx", Object, Denied, Open),
    row("SetFetchLimit", Object, Denied, Open),
    row("SetProhibitBinaryLoad", Object, Denied, Open),
    // Connections, and what is read through them.
    row("CreateConnection", Object, Denied, Open),
    row("DeleteConnection", Object, Denied, Open),
    row("GetConnection", Object, Denied, Open),
    row("GetConnections", Object, Denied, Open),
    row("GetDatabaseInfo", Object, Denied, Open),
    row("GetDatabaseOwners", Object, Denied, Open),
    row("GetDatabases", Object, Denied, Open),
    row("GetDatabaseTableFields", Object, Denied, Open),
    row("GetDatabaseTablePreview", Object, Denied, Open),
    row("GetDatabaseTables", Object, Denied, Open),
    row("GetFileTableFields", Object, Denied, Open),
    row("GetFileTablePreview", Object, Denied, Open),
    row("GetFileTables", Object, Denied, Open),
    row("GetFileTablesEx", Object, Denied, Open),
    row("GetFolderItemsForConnection", Object, Denied, Open),
    row("GuessFileType", Object, Denied, Open),
    row("ModifyConnection", Object, Denied, Open),
    row("SendGenericCommandToCustomConnector", Object, Denied, Open),
    // Save and publish.
    row("Approve", Object, Denied, Open),
    row("DoSave", Object, Denied, NamedPerhaps(at(0, "qFileName"))),
    row("Publish", Object, Denied, Open),
    row("SaveObjects", Object, Denied, Open),
    row("UnApprove", Object, Denied, Open),
    row("UnPublish", Object, Denied, Open),
    // The app as such.
    row("ChangeSessionAppOwner", Object, Denied, Open),
    row("ChangeSessionAppSpace", Object, Denied, Open),
    row("MigrateDerivedFields", Object, Denied, Open),
    row("MigrateVariables", Object, Denied, Open),
    row("ReduceData", Object, Denied, Open),
    row("RemoveAllData", Object, Denied, Open),
    row("Scramble", Object, Denied, Open),
    row("SetAppProperties", Object, Denied, Open),
    row("TransformApp", Object, Denied, Untold),
    // Export.
    row("ExportData", Object, Denied, Open),
    row("ExportImg", Object, Denied, Open),
    row("ExportPdf", Object, Denied, Open),
    row("ExportReducedData", Object, Denied, Open),
    row("StoreData", Object, Denied, Open),
    row("UploadTable", Object, Denied, Open),
    // Calls within the call, which nobody has judged.
    row("BulkRequest", Object, Denied, Untold),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_has_one_row() {
        for (n, row) in METHODS.iter().enumerate() {
            let first = METHODS
                .iter()
                .position(|other| other.name.eq_ignore_ascii_case(row.name));
            assert_eq!(first, Some(n), "{}", row.name);
        }
    }

    #[test]
    fn no_app_is_named_where_a_call_is_not_read() {
        for row in METHODS {
            if let Named(parameters) | Session(parameters) = row.apps {
                assert!(parameters.iter().all(|it| it.position < 2), "{}", row.name);
            }
        }
    }

    #[test]
    fn a_method_is_found_in_any_case() {
        assert_eq!(find("openDOC").map(|method| method.name), Some("OpenDoc"));
        assert!(find("OpenDoc ").is_none());
    }
}
