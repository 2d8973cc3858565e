//! Our streams against rustls' own buffered ones, over pipes that cut bytes wherever they like.

mod pieces;
mod pipe;
mod sides;

use std::future::poll_fn;
use std::io::{ErrorKind, Read, Write};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use bytes::Buf;
use proptest::collection::vec;
use proptest::prelude::*;
use rustls::version::{TLS12, TLS13};
use rustls::{AlertDescription, ClientConnection, HandshakeKind, SupportedProtocolVersion};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, duplex, split};
use tokio::runtime::Builder;
use tokio::task::yield_now;
use tokio::time::timeout;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use self::pipe::{Chopped, Cuts};
use self::sides::{client_config, long_configs, name, pem, server_config};
use super::{Acceptor, Connector, Protocol, ServerStream};
use crate::config::{ListenTls, Print};

const VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS12, &TLS13];

trait Io: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

/// Whose TLS a side speaks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Whose {
    Ours,
    Theirs,
}

async fn accept(
    whose: Whose,
    version: &'static SupportedProtocolVersion,
    io: Chopped,
) -> Box<dyn Io> {
    let config = server_config(version);
    match whose {
        Whose::Ours => Box::new(Acceptor::new(config).accept(io).await.unwrap()),
        Whose::Theirs => Box::new(TlsAcceptor::from(config).accept(io).await.unwrap()),
    }
}

async fn connect(
    whose: Whose,
    version: &'static SupportedProtocolVersion,
    io: Chopped,
) -> Box<dyn Io> {
    let config = client_config(version);
    match whose {
        Whose::Ours => Box::new(Connector::new(config).connect(name(), io).await.unwrap()),
        Whose::Theirs => Box::new(
            TlsConnector::from(config)
                .connect(name(), io)
                .await
                .unwrap(),
        ),
    }
}

/// Says `messages`, ends, and hears what the other side says until it ends.
async fn converse(io: Box<dyn Io>, messages: Vec<Vec<u8>>, room: usize) -> Vec<u8> {
    let (mut reader, mut writer) = split(io);
    let says = async {
        for (turn, message) in messages.iter().enumerate() {
            // In one piece or in two.
            let (first, second) = message.split_at(turn % 2 * (message.len() / 3));
            let mut pieces = Buf::chain(first, second);
            writer.write_all_buf(&mut pieces).await.unwrap();
            writer.flush().await.unwrap();
        }
        writer.shutdown().await.unwrap();
    };
    let hears = async {
        let (mut heard, mut room) = (Vec::new(), vec![0; room]);
        loop {
            match reader.read(&mut room).await.unwrap() {
                0 => return heard,
                length => heard.extend_from_slice(&room[..length]),
            }
        }
    };
    tokio::join!(says, hears).1
}

fn messages() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let message = prop_oneof![
        8 => vec(any::<u8>(), 0..300),
        1 => (any::<u8>(), 16_000..17_000_usize).prop_map(|(byte, length)| vec![byte; length]),
        1 => (any::<u8>(), 60_000..200_000_usize).prop_map(|(byte, length)| vec![byte; length]),
    ];
    vec(message, 0..8)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn every_byte_arrives_once_and_in_order(
        said_by_client in messages(),
        said_by_server in messages(),
        cuts in (any::<Cuts>(), any::<Cuts>()),
        room in prop_oneof![1..600_usize, 4_000..70_000_usize],
        version in 0..2_usize,
        sides in prop_oneof![
            Just((Whose::Ours, Whose::Theirs)),
            Just((Whose::Theirs, Whose::Ours)),
            Just((Whose::Ours, Whose::Ours)),
        ],
    ) {
        let version = VERSIONS[version];
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let (at_client, at_server) = runtime.block_on(async {
            let (client, server) = duplex(48 << 10);
            let client = Chopped::new(client, cuts.0);
            let server = Chopped::new(server, cuts.1);
            let talk = async {
                tokio::join!(
                    async {
                        let io = connect(sides.0, version, client).await;
                        converse(io, said_by_client.clone(), room).await
                    },
                    async {
                        let io = accept(sides.1, version, server).await;
                        converse(io, said_by_server.clone(), room).await
                    },
                )
            };
            timeout(Duration::from_secs(30), talk).await.unwrap()
        });
        prop_assert!(at_client == said_by_server.concat());
        prop_assert!(at_server == said_by_client.concat());
    }
}

/// A buffered rustls client, driven by hand.
struct Client {
    tls: ClientConnection,
    io: DuplexStream,
}

impl Client {
    fn new(version: &'static SupportedProtocolVersion, io: DuplexStream) -> Self {
        let tls = ClientConnection::new(client_config(version), name()).unwrap();
        Self { tls, io }
    }

    /// Puts all that waits on the wire at once, and `behind` it.
    async fn send(&mut self, behind: &[u8]) {
        let mut bytes = Vec::new();
        while self.tls.wants_write() {
            self.tls.write_tls(&mut bytes).unwrap();
        }
        bytes.extend_from_slice(behind);
        self.io.write_all(&bytes).await.unwrap();
    }

    /// Takes in what has come; `false` when nothing will any more.
    async fn take(&mut self) -> Result<bool, rustls::Error> {
        let mut bytes = vec![0; 4 << 10];
        let length = self.io.read(&mut bytes).await.unwrap();
        self.take_all(&bytes[..length])?;
        Ok(length > 0)
    }

    fn take_all(&mut self, mut bytes: &[u8]) -> Result<(), rustls::Error> {
        while let Ok(1..) = self.tls.read_tls(&mut bytes) {
            self.tls.process_new_packets()?;
        }
        Ok(())
    }

    async fn shake_hands(&mut self) {
        while self.tls.is_handshaking() {
            self.send(b"").await;
            if self.tls.is_handshaking() {
                assert!(self.take().await.unwrap());
            }
        }
        self.send(b"").await;
    }

    async fn say(&mut self, plain: &[u8]) {
        self.tls.writer().write_all(plain).unwrap();
        self.send(b"").await;
    }

    async fn hear(&mut self, length: usize) -> Vec<u8> {
        let mut heard = vec![0; length];
        let mut filled = 0;
        while filled < length {
            match self.tls.reader().read(&mut heard[filled..]) {
                Ok(more) => filled += more,
                Err(_) => assert!(self.take().await.unwrap()),
            }
        }
        heard
    }
}

type Server = ServerStream<Chopped>;

/// A client driven by hand, and our server, which gets its bytes in pieces of that size.
async fn pair(version: &'static SupportedProtocolVersion, size: usize) -> (Client, Server) {
    let (client, server) = duplex(256 << 10);
    let server = Chopped::new(server, Cuts::all(size));
    let mut client = Client::new(version, client);
    let acceptor = Acceptor::new(server_config(version));
    let (server, ()) = tokio::join!(acceptor.accept(server), client.shake_hands());
    (client, server.unwrap())
}

/// Every way that bytes may be cut.
const SIZES: [usize; 3] = [1, 7, 1 << 20];

#[tokio::test]
async fn what_comes_with_the_last_flight_of_the_handshake_is_for_the_reader() {
    for (version, size) in VERSIONS
        .into_iter()
        .flat_map(|v| SIZES.map(|size| (v, size)))
    {
        let (io, server) = duplex(256 << 10);
        let server = Chopped::new(server, Cuts::all(size));
        let mut client = Client::new(version, io);
        // Held back until the handshake is over, and then sent with its last flight.
        // The first record comes whole with it, the second does not.
        let said = vec![7; 10_300];
        client.tls.writer().write_all(&said[..300]).unwrap();
        client.tls.writer().write_all(&said[300..]).unwrap();
        let acceptor = Acceptor::new(server_config(version));
        let (server, ()) = tokio::join!(acceptor.accept(server), client.shake_hands());
        let mut heard = vec![0; said.len()];
        server.unwrap().read_exact(&mut heard).await.unwrap();
        assert_eq!(heard, said);
    }
}

#[tokio::test]
async fn keys_are_updated_from_either_side_and_at_any_byte() {
    for size in SIZES {
        let (mut client, mut server) = pair(&TLS13, size).await;
        for turn in 0..8_u8 {
            client.tls.refresh_traffic_keys().unwrap();
            client.say(&[turn; 300]).await;
            let mut heard = [0; 300];
            server.read_exact(&mut heard).await.unwrap();
            assert_eq!(heard, [turn; 300]);
            // The answer to the update goes out before what is said next.
            server.write_all(&[turn; 500]).await.unwrap();
            server.flush().await.unwrap();
            assert_eq!(client.hear(500).await, [turn; 500]);
        }
    }
}

#[tokio::test]
async fn who_breaks_off_without_a_word_was_cut_off() {
    for version in VERSIONS {
        let (mut client, mut server) = pair(version, 11).await;
        client.say(b"so far").await;
        drop(client);
        let mut heard = Vec::new();
        let error = server.read_to_end(&mut heard).await.unwrap_err();
        assert_eq!(
            (error.kind(), &heard[..]),
            (ErrorKind::UnexpectedEof, &b"so far"[..])
        );
    }
}

#[tokio::test]
async fn a_forged_record_is_answered_by_an_alert_and_nothing_is_said_any_more() {
    for version in VERSIONS {
        let (mut client, mut server) = pair(version, 1 << 20).await;
        client.tls.writer().write_all(b"true").unwrap();
        let mut forged = vec![0x17, 3, 3, 0, 40];
        forged.extend([9; 40]);
        client.send(&forged).await;
        let mut heard = Vec::new();
        let error = server.read_to_end(&mut heard).await.unwrap_err();
        assert_eq!(
            (error.kind(), &heard[..]),
            (ErrorKind::InvalidData, &b"true"[..])
        );
        let error = server.write_all(b"x").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        let error = server.read(&mut [0; 8]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        drop(server);
        let alert = loop {
            match client.take().await {
                Ok(more) => assert!(more, "no alert"),
                Err(error) => break error,
            }
        };
        assert_eq!(
            alert,
            rustls::Error::AlertReceived(AlertDescription::BadRecordMac)
        );
    }
}

#[tokio::test]
async fn who_has_said_the_last_word_can_still_listen() {
    for version in VERSIONS {
        let (mut client, mut server) = pair(version, 5).await;
        client.tls.send_close_notify();
        client.send(b"whatever follows is not heard").await;
        assert_eq!(server.read(&mut [0; 8]).await.unwrap(), 0);
        server.write_all(b"still here").await.unwrap();
        server.shutdown().await.unwrap();
        assert_eq!(client.hear(10).await, b"still here");
        assert_eq!(server.read(&mut [0; 8]).await.unwrap(), 0);
        let error = server.write_all(b"x").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    }
}

#[tokio::test]
async fn a_read_that_is_given_up_loses_nothing() {
    let (mut client, mut server) = pair(&TLS13, 1 << 20).await;
    client.tls.writer().write_all(&[5; 900]).unwrap();
    let mut bytes = Vec::new();
    client.tls.write_tls(&mut bytes).unwrap();
    for byte in bytes {
        let mut room = [0; 1];
        let early = tokio::select! { biased; read = server.read(&mut room) => Some(read), () = yield_now() => None };
        assert!(early.is_none());
        client.io.write_all(&[byte]).await.unwrap();
    }
    let mut heard = [0; 900];
    server.read_exact(&mut heard).await.unwrap();
    assert_eq!(heard, [5; 900]);
}

#[tokio::test]
async fn tickets_go_with_the_first_words() {
    let (mut client, mut server) = pair(&TLS13, 1 << 20).await;
    server.flush().await.unwrap();
    assert!(server.owned() > 0, "nobody waits for a ticket");
    server.write_all(b"hello").await.unwrap();
    assert_eq!(server.owned(), 0);
    assert_eq!(client.hear(5).await, b"hello");
    assert!(client.tls.tls13_tickets_received() > 0);
}

#[tokio::test]
async fn an_idle_connection_owns_no_buffer_and_a_stalled_one_a_bounded_one() {
    let (mut client, mut server) = pair(&TLS13, 1000).await;
    client.say(&vec![1; 50_000]).await;
    server.read_exact(&mut vec![0; 50_000]).await.unwrap();
    server.write_all(b"hello").await.unwrap();
    client.hear(5).await;
    assert_eq!(server.owned(), 0);
    let (much, mut written) = (vec![2; 1 << 20], 0);
    loop {
        let write = poll_fn(|cx| Poll::Ready(Pin::new(&mut server).poll_write(cx, &much)));
        match write.await {
            Poll::Ready(length) => written += length.unwrap(),
            Poll::Pending => break,
        }
    }
    assert!(
        server.owned() > 0 && server.owned() <= 130 << 10,
        "{}",
        server.owned()
    );
    let (flushed, heard) = tokio::join!(server.flush(), client.hear(written));
    flushed.unwrap();
    assert!(heard.iter().all(|byte| *byte == 2));
    assert_eq!(server.owned(), 0);
}

#[tokio::test]
async fn a_certificate_of_many_records_is_put_together() {
    for version in VERSIONS {
        for size in [1, 400, 5000] {
            let (server_config, client_config) = long_configs(version);
            let (client, server) = duplex(16 << 10);
            let client = Chopped::new(client, Cuts::all(size));
            let acceptor = Acceptor::new(server_config);
            let connector = Connector::new(client_config);
            let (server, client) =
                tokio::join!(acceptor.accept(server), connector.connect(name(), client));
            let (mut server, mut client) = (server.unwrap(), client.unwrap());
            server.write_all(b"hello").await.unwrap();
            server.flush().await.unwrap();
            let mut heard = [0; 5];
            client.read_exact(&mut heard).await.unwrap();
            assert_eq!(&heard, b"hello");
        }
    }
}

#[tokio::test]
async fn a_handshake_that_never_gets_whole_is_not_kept_for_ever() {
    let (mut client, server) = duplex(1 << 10);
    let acceptor = Acceptor::new(server_config(&TLS13));
    let accepting = tokio::spawn(async move { acceptor.accept(server).await.map(drop) });
    // A ClientHello that is said to be long and comes in pieces of one byte.
    let mut sent = 0;
    let mut piece = vec![0x16, 3, 1, 0, 4, 1, 0, 0xFF, 0xFF];
    while client.write_all(&piece).await.is_ok() {
        sent += piece.len();
        piece = vec![0x16, 3, 3, 0, 1, 0];
        assert!(sent < 80 << 10, "{sent}");
    }
    assert!(accepting.await.unwrap().is_err());
}

/// A door, as its files make it, and a client that can come back.
fn door(version: &'static SupportedProtocolVersion, client_ca: bool) -> (Acceptor, Connector) {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = (folder.path().join("c.pem"), folder.path().join("k.pem"));
    let pem = pem();
    std::fs::write(&certificate, &pem.0).unwrap();
    std::fs::write(&key, &pem.1).unwrap();
    let files = ListenTls {
        client_ca: client_ca.then(|| certificate.clone()),
        client_ca_print: Print::default(),
        certificate,
        key,
    };
    let acceptor = Acceptor::new(super::server_config(&files, &[Protocol::Http1]).unwrap());
    (acceptor, Connector::new(client_config(version)))
}

async fn kind_of_handshake(acceptor: &Acceptor, connector: &Connector) -> Option<HandshakeKind> {
    let (client, server) = duplex(16 << 10);
    let (server, client) = tokio::join!(acceptor.accept(server), connector.connect(name(), client));
    let (mut server, mut client) = (server.unwrap(), client.unwrap());
    // The tickets of TLS 1.3 come with what is read.
    server.write_all(b"x").await.unwrap();
    client.read_exact(&mut [0]).await.unwrap();
    server.common().handshake_kind()
}

#[tokio::test]
async fn who_comes_back_resumes() {
    for version in VERSIONS {
        let (acceptor, connector) = door(version, false);
        for kind in [HandshakeKind::Full, HandshakeKind::Resumed] {
            let found = kind_of_handshake(&acceptor, &connector).await;
            assert_eq!(found, Some(kind));
        }
    }
}

#[tokio::test]
async fn where_certificates_are_believed_everybody_shows_theirs_again() {
    for version in VERSIONS {
        let (acceptor, connector) = door(version, true);
        for _ in 0..2 {
            let found = kind_of_handshake(&acceptor, &connector).await;
            assert_eq!(found, Some(HandshakeKind::Full));
        }
    }
}
