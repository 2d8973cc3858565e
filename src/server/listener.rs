//! Where the public door listens: at an address, or at a socket file.
//!
//! A socket file is made under a name of its own, given its mode, and only then moved to its place:
//! at no moment can more people connect than may. A file that nobody listens at gives way to it;
//! whatever else stands there stays.

use std::fs::{self, File, Permissions};
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream as Probe;
use std::path::{Path, PathBuf};

use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio_util::either::Either;

use crate::config::{ListenAddress, SocketFile};
use crate::peer::Peer;

/// How much may wait unsent in the kernel, which would take megabytes. What waits in the relay instead is
/// seen to be taken or not, and neither a ping nor a Close has to wait behind more than this.
const UNSENT: u32 = 128 << 10;

/// A client's connection, as it was accepted.
pub(super) type Socket = Either<TcpStream, UnixStream>;

/// A bound listener.
#[derive(Debug)]
pub enum Listener {
    /// At an address.
    Tcp(TcpListener),
    /// At a socket file.
    Unix(UnixListener, Owned),
}

/// A socket file that goes away with this value, unless another has taken its place.
#[derive(Debug)]
pub struct Owned {
    path: PathBuf,
    inode: (u64, u64),
}

impl Listener {
    /// Binds.
    pub async fn bind(address: &ListenAddress) -> io::Result<Self> {
        match address {
            ListenAddress::Tcp(address) => {
                let listener = TcpListener::bind(address).await?;
                tune(&listener, address)?;
                Ok(Self::Tcp(listener))
            }
            ListenAddress::Unix(file) => {
                let (listener, owned) = bind_file(file)?;
                Ok(Self::Unix(listener, owned))
            }
        }
    }

    /// Where it listens, by the port that a 0 stands for.
    pub fn address(&self) -> io::Result<Option<SocketAddr>> {
        match self {
            Self::Tcp(listener) => listener.local_addr().map(Some),
            Self::Unix(..) => Ok(None),
        }
    }

    pub(super) async fn accept(&self) -> io::Result<(Socket, Peer)> {
        match self {
            Self::Tcp(listener) => {
                let (tcp, peer) = listener.accept().await?;
                Ok((Either::Left(tcp), Peer::Tcp(peer.ip())))
            }
            Self::Unix(listener, _) => {
                let (unix, _) = listener.accept().await?;
                Ok((Either::Right(unix), Peer::Unix))
            }
        }
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        if inode(&self.path).is_ok_and(|inode| inode == self.inode) {
            // What cannot be removed is stale, and gives way to the next.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Sets what each connection has from its listener.
fn tune(listener: &TcpListener, address: &SocketAddr) -> io::Result<()> {
    let socket = SockRef::from(listener);
    socket.set_tcp_notsent_lowat(UNSENT)?;
    socket.set_tcp_nodelay(true)?;
    if address.ip().is_loopback() {
        // A sender that paces itself (BBR) arms a timer for what comes sooner, and within a host there is no queue
        // to spare by it. Every kernel has this one; where it may not be had, loopback is only slower.
        let _ = socket.set_tcp_congestion(b"reno");
    }
    Ok(())
}

fn bind_file(file: &SocketFile) -> io::Result<(UnixListener, Owned)> {
    let path = &file.path;
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    let folder = folder.unwrap_or(Path::new("."));
    // Of two who start at once, one looks while the other waits.
    let lock = File::open(folder)?;
    lock.lock()?;
    refuse_taken(path)?;
    let draft = folder.join(format!(".qix-{}", std::process::id()));
    // One of an earlier process of this number.
    let _ = fs::remove_file(&draft);
    let listener = UnixListener::bind(&draft)?;
    let placed = fs::set_permissions(&draft, Permissions::from_mode(file.mode))
        .and_then(|()| fs::rename(&draft, path));
    if let Err(error) = placed {
        let _ = fs::remove_file(&draft);
        return Err(error);
    }
    let owned = Owned {
        path: path.clone(),
        inode: inode(path)?,
    };
    Ok((listener, owned))
}

/// Refuses a path where anything but a socket file stands that nobody listens at.
fn refuse_taken(path: &Path) -> io::Result<()> {
    let kind = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata.file_type(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !kind.is_socket() {
        let what = "a file stands there that is no socket";
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, what));
    }
    match Probe::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
        // It listens, or it cannot be told that it does not.
        _ => Err(io::ErrorKind::AddrInUse.into()),
    }
}

fn inode(path: &Path) -> io::Result<(u64, u64)> {
    let metadata = fs::symlink_metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}

#[cfg(test)]
mod tests {
    use super::super::ClientIo;
    use super::*;
    use crate::relay::Io;

    fn file(folder: &tempfile::TempDir, mode: u32) -> ListenAddress {
        let path = folder.path().join("qix.sock");
        ListenAddress::Unix(SocketFile { path, mode })
    }

    /// A connection that came to a listener at this address.
    async fn accepted(address: [u8; 4]) -> TcpStream {
        let listener = Listener::bind(&ListenAddress::Tcp((address, 0).into())).await;
        let listener = listener.unwrap();
        let port = listener.address().unwrap().unwrap().port();
        let client = TcpStream::connect(("127.0.0.1", port));
        let (_client, accepted) = tokio::join!(client, listener.accept());
        let Either::Left(tcp) = accepted.unwrap().0 else {
            panic!("no TCP")
        };
        tcp
    }

    #[tokio::test]
    async fn what_is_accepted_leaves_little_unsent_delays_nothing_and_is_bare() {
        let tcp = accepted([127, 0, 0, 1]).await;
        assert_eq!(SockRef::from(&tcp).tcp_notsent_lowat().unwrap(), UNSENT);
        assert!(tcp.nodelay().unwrap());
        assert!(ClientIo::Left(Either::Left(tcp)).bare().is_some());
    }

    #[tokio::test]
    async fn within_the_host_nothing_is_paced_and_elsewhere_the_host_decides() {
        let congestion = |tcp: &TcpStream| SockRef::from(tcp).tcp_congestion().unwrap();
        let inside = accepted([127, 0, 0, 1]).await;
        assert!(congestion(&inside).starts_with(b"reno"));
        let outside = accepted([0, 0, 0, 0]).await;
        let host = TcpListener::bind("0.0.0.0:0").await.unwrap();
        let host = SockRef::from(&host).tcp_congestion().unwrap();
        assert_eq!(congestion(&outside), host);
    }

    #[tokio::test]
    async fn a_socket_file_has_its_mode_and_goes_with_its_listener() {
        let folder = tempfile::tempdir().unwrap();
        let listener = Listener::bind(&file(&folder, 0o620)).await.unwrap();
        let path = folder.path().join("qix.sock");
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o620);
        let entries = fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(entries, 1, "no draft is left");
        let _client = UnixStream::connect(&path).await.unwrap();
        assert_eq!(listener.accept().await.unwrap().1, Peer::Unix);
        drop(listener);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn what_nobody_listens_at_gives_way_and_nothing_else_does() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("qix.sock");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists(), "stale");
        let first = Listener::bind(&file(&folder, 0o660)).await.unwrap();

        let second = Listener::bind(&file(&folder, 0o660)).await.unwrap_err();
        assert_eq!(second.kind(), io::ErrorKind::AddrInUse);
        assert!(
            UnixStream::connect(&path).await.is_ok(),
            "the first goes on"
        );

        fs::remove_file(&path).unwrap();
        let foreign = std::os::unix::net::UnixListener::bind(&path).unwrap();
        drop(first);
        assert!(path.exists(), "it is another's by now");
        drop(foreign);
        fs::remove_file(&path).unwrap();
        fs::write(&path, "mine").unwrap();
        let third = Listener::bind(&file(&folder, 0o660)).await.unwrap_err();
        assert_eq!(third.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
    }
}
