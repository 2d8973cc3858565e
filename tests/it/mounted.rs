//! A config in a folder as Kubernetes mounts one: links to a folder that is exchanged whole.

use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::support::{Files, make_pipe, reader_of};

const BINARY: &str = env!("CARGO_BIN_EXE_qix-proxy");
const ACME: &str =
    "name = \"acme\"\n[credential]\nkind = \"none\"\n[engine]\nurl = \"http://127.0.0.1:9\"\n";

/// Puts a version in place, as the kubelet does.
fn mount(root: &Path, version: &str, files: &[(&str, &str)]) {
    let folder = root.join(version);
    fs::create_dir(&folder).unwrap();
    for (name, text) in files {
        fs::write(folder.join(name), text).unwrap();
    }
    symlink(version, root.join("..data_tmp")).unwrap();
    fs::rename(root.join("..data_tmp"), root.join("..data")).unwrap();
    for (name, _) in files {
        if !root.join(name).is_symlink() {
            symlink(Path::new("..data").join(name), root.join(name)).unwrap();
        }
    }
}

fn config(key: &Path, customer: &str) -> String {
    let key = key.display();
    format!(
        "identity_key = {{ file = \"{key}\" }}\n[listen]\naddress = \"127.0.0.1:0\"\n[[route]]\npath = \
         \"/qlik\"\norigins = [\"https://a.example\"]\n[[route.session]]\nkind = \"jwt\"\ncookie = \
         \"s\"\njwks = \"https://idp.example/jwks\"\nissuer = \"i\"\naudience = \
         \"a\"\n[route.access]\napps = \"any\"\n[route.customers]\nclaim = \"t\"\ninclude = \
         \"customer.*.toml\"\n{customer}"
    )
}

fn check(config: &Path) -> Child {
    let mut command = Command::new(BINARY);
    let command = command.args(["check", "--config"]).arg(config);
    let piped = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    piped.spawn().unwrap()
}

/// The key is a pipe, so that the config is known to be half read when its folder is exchanged.
#[test]
fn a_folder_that_is_exchanged_while_it_is_read_is_read_again() {
    let files = Files::new();
    let key = files.path("key");
    make_pipe(&key);
    let key = Path::new(&key);
    let root = Path::new(&files.path("mount")).to_owned();
    fs::create_dir(&root).unwrap();
    let inline = "[[route.customer]]\nname = \"acme\"\n[route.customer.credential]\nkind = \"none\"\n\
                  [route.customer.engine]\nurl = \"http://127.0.0.1:9\"\n";
    // Either is good; the first config with the second's customers has one of them twice.
    let (first, second) = (config(key, inline), config(key, ""));
    mount(&root, "..1", &[("qix-proxy.toml", &first)]);
    let proxy = check(&root.join("qix-proxy.toml"));
    let mut pipe = reader_of(key);
    let second = [
        ("qix-proxy.toml", second.as_str()),
        ("customer.acme.toml", ACME),
    ];
    mount(&root, "..2", &second);
    let text = "k".repeat(32);
    let file = files.write("key-as-a-file", &text);
    fs::rename(file, key).unwrap();
    pipe.write_all(text.as_bytes()).unwrap();
    drop(pipe);
    let output = proxy.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
}
