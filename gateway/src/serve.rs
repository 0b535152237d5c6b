//! The loop that accepts.

use crate::config::Config;
use crate::connection;
use crate::error::StartError;
use crate::fault::{FaultPlan, FaultSpec, Kind};
use crate::shared::{Ending, Shared};
use crate::socket::Bound;
use crate::stream::Stream;
use crate::summary::Summary;
use crate::{ending, setup_codes, tls};
use clw_core::Stage;
use clw_core::secret::Secret;
use clw_core::session::Stop;
use clw_core::time::Instant;
use clw_core::verdict::{EndingKind, Observation, Side, Viewpoint};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::LocalSet;
use tokio_rustls::TlsAcceptor;

/// After this a stopping gateway leaves, whoever is still there.
const STOP_GRACE: Duration = Duration::from_secs(2);
/// Connections that are cut need only their next turn.
const CUT_GRACE: Duration = Duration::from_millis(500);
/// How long accepting pauses when there are no descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How often a client's request for a restart is looked for.
const BEAT: Duration = Duration::from_millis(200);

/// What a running gateway is told.
#[derive(Debug)]
pub(crate) enum Order {
    /// End everything in the dialect's words.
    Stop,
    /// Announce a restart, close, and serve again.
    Restart,
    /// Tell what was seen so far.
    Report(std::sync::mpsc::Sender<Summary>),
}

struct Server {
    shared: Rc<Shared>,
    faults: FaultPlan,
    acceptor: Option<TlsAcceptor>,
    next_ordinal: u64,
    worker: (u32, u32),
    restarting_until: Option<tokio::time::Instant>,
    /// What the gateway as a whole does, and when, the next one last.
    events: Vec<(Instant, Kind)>,
    next_token: Option<Secret>,
}

/// Serves until told to stop.
pub(crate) async fn serve(
    config: Config,
    bound: Bound,
    orders: mpsc::UnboundedReceiver<Order>,
    started: std::sync::mpsc::Sender<Result<(), StartError>>,
) -> Summary {
    let (mut server, listener) = match Server::new(&config, &bound) {
        Ok(parts) => parts,
        Err(error) => {
            let _ = started.send(Err(error));
            return Summary::default();
        }
    };
    let _ = started.send(Ok(()));
    LocalSet::new().run_until(server.run(listener, orders)).await;
    server.shared.summary()
}

impl Server {
    fn new(config: &Config, bound: &Bound) -> Result<(Self, Option<TcpListener>), StartError> {
        let server = Self {
            shared: Rc::new(Shared::new(config, bound.address)?),
            faults: FaultPlan::new(
                (config.faults.iter())
                    .filter(|fault| !fault.kind.is_of_the_gateway())
                    .cloned()
                    .collect(),
                config.seed,
            ),
            events: events(config),
            next_token: config.next_token.clone(),
            acceptor: tls::acceptor(config)?,
            next_ordinal: 0,
            worker: config.worker,
            restarting_until: None,
        };
        if let Some(codes) = &config.setup_codes {
            let url = config.url(bound.address);
            setup_codes::write(&server.shared, codes, &url)?;
        }
        Ok((server, bound.listener()?))
    }

    async fn run(&mut self, listener: Option<TcpListener>, mut orders: mpsc::UnboundedReceiver<Order>) {
        let mut beat = tokio::time::interval(BEAT);
        beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let shared = self.shared.clone();
            let due = self.events.last().map(|(at, _)| shared.at(*at));
            let event = async {
                match due {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = event => self.happen(),
                order = orders.recv() => match order {
                    Some(Order::Restart) => self.restart(),
                    Some(Order::Report(to)) => drop(to.send(self.shared.summary())),
                    Some(Order::Stop) | None => break,
                },
                _ = beat.tick() => {
                    if self.shared.backends.openclaw.authority.take_restart_request() {
                        self.restart();
                    }
                }
                accepted = accept(listener.as_ref()) => match accepted {
                    Ok((stream, peer)) => self.accepted(stream, peer),
                    Err(error) => self.accept_failed(&error).await,
                },
            }
        }
        // Whoever still connects is refused.
        drop(listener);
        self.shared.end_all(Ending::Told(Stop::Stop));
        if !self.all_gone_within(STOP_GRACE).await {
            self.shared.end_all(Ending::Cut);
            self.all_gone_within(CUT_GRACE).await;
        }
    }

    /// Does what the gateway as a whole is to do now.
    fn happen(&mut self) {
        let Some((_, kind)) = self.events.pop() else {
            return;
        };
        let shared = &self.shared;
        let authority = &shared.backends.openclaw.authority;
        match kind {
            Kind::RotateToken(_) => {
                if let Some(token) = &self.next_token {
                    authority.rotate_token(token.clone());
                    shared
                        .log
                        .line("[gateway] the shared token was changed (fault plan)".to_owned());
                    shared.end_all(Ending::SecretChanged);
                }
            }
            Kind::RevokeTokens(_) => {
                shared
                    .log
                    .line("[gateway] all device tokens are revoked (fault plan)".to_owned());
                authority
                    .revoke_all(false)
                    .into_iter()
                    .for_each(|sign| shared.call(sign));
            }
            Kind::ForgetDevices(_) => {
                shared
                    .log
                    .line("[gateway] all devices are forgotten (fault plan)".to_owned());
                authority.revoke_all(true);
                self.restart();
            }
            _ => {}
        }
    }

    /// Announces a restart and ends all sessions; for a moment newcomers are told to come back later.
    fn restart(&mut self) {
        self.shared.log.line("[gateway] restarts".to_owned());
        self.shared.end_all(Ending::Told(self.shared.restart()));
        self.restarting_until = tokio::time::Instant::now().checked_add(self.shared.restart_for);
    }

    async fn all_gone_within(&self, grace: Duration) -> bool {
        let deadline = tokio::time::Instant::now() + grace;
        while self.shared.open() > 0 {
            if tokio::time::Instant::now() >= deadline {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        true
    }

    fn accepted(&mut self, tcp: TcpStream, peer: SocketAddr) {
        let shared = self.shared.clone();
        shared.opened();
        let _ = tcp.set_nodelay(true);
        let (worker, workers) = self.worker;
        let ordinal = self.next_ordinal * u64::from(workers.max(1)) + u64::from(worker);
        self.next_ordinal += 1;
        let mut faults = self.faults.of(ordinal, shared.now().since(Instant::ORIGIN));
        if self
            .restarting_until
            .is_some_and(|until| tokio::time::Instant::now() < until)
        {
            faults.push(FaultSpec::new(Kind::Restarting));
        }
        let closes_tls = faults.iter().any(|fault| fault.kind == Kind::TlsClose);
        match &self.acceptor {
            Some(acceptor) if !closes_tls => {
                let acceptor = acceptor.clone();
                tokio::task::spawn_local(async move {
                    // Boxed: the handshake's state is large, and gone when the session begins.
                    match Box::pin(handshake(&shared, &acceptor, tcp, peer)).await {
                        Some(stream) => connection::serve(shared, stream, peer, faults).await,
                        None => drop(shared),
                    }
                });
            }
            _ => {
                let stream = Stream::Plain(tcp);
                drop(tokio::task::spawn_local(connection::serve(
                    shared, stream, peer, faults,
                )));
            }
        }
    }

    async fn accept_failed(&self, error: &io::Error) {
        self.shared.accept_failed();
        self.shared.log.line(format!("[gateway] accept failed: {error}"));
        // A client that has left again is no reason to wait; a lack of descriptors is.
        if error.kind() != io::ErrorKind::ConnectionAborted {
            tokio::time::sleep(ACCEPT_PAUSE).await;
        }
    }
}

/// The gateway's own part of the fault plan, the first event last.
fn events(config: &Config) -> Vec<(Instant, Kind)> {
    let mut events: Vec<_> = (config.faults.iter())
        .filter_map(|fault| match &fault.kind {
            Kind::RotateToken(after) | Kind::RevokeTokens(after) | Kind::ForgetDevices(after) => {
                Some((Instant::ORIGIN + *after, fault.kind.clone()))
            }
            _ => None,
        })
        .collect();
    events.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    events
}

async fn accept(listener: Option<&TcpListener>) -> io::Result<(TcpStream, SocketAddr)> {
    match listener {
        Some(listener) => listener.accept().await,
        None => std::future::pending().await,
    }
}

/// The TLS handshake, within the time for the upgrade's head. Counts the connection's end if it fails.
async fn handshake(
    shared: &Shared,
    acceptor: &TlsAcceptor,
    tcp: TcpStream,
    peer: SocketAddr,
) -> Option<Stream> {
    let begun = shared.now();
    let (what, by) = tokio::select! {
        done = acceptor.accept(tcp) => match done {
            Ok(stream) => return Some(Stream::Tls(Box::new(stream))),
            Err(error) => (error.to_string(), Side::Client),
        },
        () = tokio::time::sleep(shared.server_config.head_timeout) =>
            ("no TLS handshake in time".to_owned(), Side::Server),
        () = shared.ends() => ("the gateway ends".to_owned(), Side::Server),
    };
    let seen = Observation {
        viewpoint: Viewpoint::Server,
        dialect: shared.dialect,
        stage: Stage::Tls,
        duration: shared.now() - begun,
        since_upgrade: shared.now() - begun,
        tls_failure: Some(what),
        ending: EndingKind::Fin,
        ended_by: by,
        ..Observation::default()
    };
    let record = ending::record(shared, &seen, peer, None, None);
    shared.closed(false, Some(record));
    None
}
