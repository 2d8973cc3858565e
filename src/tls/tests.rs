//! Our streams against rustls' own buffered ones, over pipes that cut bytes wherever they like.

mod pipe;
mod sides;

use std::future::poll_fn;
use std::io::{ErrorKind, Read, Write};
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConnection, SupportedProtocolVersion};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, duplex, split};
use tokio::runtime::Builder;
use tokio::time::timeout;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use self::pipe::{Chopped, Cuts};
use self::sides::{client_config, name, server_config};
use super::records::Session;
use super::{Acceptor, Connector, Stream};

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
        for message in &messages {
            writer.write_all(message).await.unwrap();
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
