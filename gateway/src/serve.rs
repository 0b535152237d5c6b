//! The loop that accepts, and what all connections of a worker share.

use crate::config::{Config, Mode};
use crate::connection::{self, Stream};
use crate::fault::{FaultPlan, Kind};
use crate::log::Log;
use crate::summary::Summary;
use crate::tls;
use clw_core::openclaw::{Authority, AuthorityConfig, FailurePolicy, Gateway, GatewayConfig, PreauthBudget};
use clw_core::session::{Outbox, Rejection, ServerConfig, ServerEvent, Stop};
use clw_core::time::Instant;
use socket2::{Domain, Protocol, Socket, Type};
use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc};
use tokio::task::LocalSet;
use tokio_rustls::TlsAcceptor;

/// The kernel cuts it to net.core.somaxconn.
const BACKLOG: i32 = 65_535;
const SCRATCH_BYTES: usize = 64 * 1024;
/// The real gateway's budget of sockets before hello-ok an address.
const STOCK_BUDGET: u32 = 32;
/// After this a stopping gateway leaves, whoever is still there.
const STOP_GRACE: Duration = Duration::from_secs(2);
/// How long accepting pauses when there are no descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A gateway that cannot start; says what to change.
#[derive(Debug, Error)]
pub enum StartError {
    /// The port.
    #[error("cannot listen on {address}: {cause}{}", if cause.kind() == io::ErrorKind::AddrInUse { " (another process has it: choose another port, or port 0)" } else { "" })]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why not.
        cause: io::Error,
    },
    /// The log file.
    #[error("cannot write the log {path}: {cause}")]
    Log {
        /// The file.
        path: String,
        /// Why not.
        cause: io::Error,
    },
    /// TLS.
    #[error("cannot make a TLS certificate: {0}")]
    Tls(String),
    /// The thread or its runtime.
    #[error("cannot start a thread: {0}")]
    Thread(io::Error),
}

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

/// Shared by all connections of a worker; everything stays on its thread.
pub(crate) struct Shared {
    origin: tokio::time::Instant,
    pub(crate) address: SocketAddr,
    pub(crate) server_config: Arc<ServerConfig>,
    pub(crate) openclaw: Arc<Gateway>,
    pub(crate) scratch: RefCell<Vec<u8>>,
    pub(crate) outbox: RefCell<Outbox<ServerEvent>>,
    pub(crate) log: Log,
    pub(crate) summary: RefCell<Summary>,
    pub(crate) keep_endings: bool,
    pub(crate) stop: Notify,
    pub(crate) stop_kind: Cell<Stop>,
    budget: RefCell<PreauthBudget>,
    open: Cell<u64>,
    before_ready: Cell<u32>,
}

impl Shared {
    pub(crate) fn now(&self) -> Instant {
        Instant::ORIGIN + self.origin.elapsed()
    }

    pub(crate) fn at(&self, instant: Instant) -> tokio::time::Instant {
        self.origin + Duration::from_micros(instant.as_micros())
    }

    pub(crate) fn enter(&self, peer: SocketAddr) -> Result<(), Rejection> {
        self.budget.borrow_mut().enter(peer.ip())
    }

    pub(crate) fn left_before_ready(&self, peer: SocketAddr) {
        self.budget.borrow_mut().leave(peer.ip());
    }

    /// Sockets that are open and not ready, this one left out.
    pub(crate) fn before_ready(&self, _peer: SocketAddr) -> u32 {
        self.before_ready.get().saturating_sub(1)
    }

    pub(crate) fn became_ready(&self) {
        self.before_ready.set(self.before_ready.get().saturating_sub(1));
        self.summary.borrow_mut().ready += 1;
    }

    fn opened(&self) {
        let open = self.open.get() + 1;
        self.open.set(open);
        self.before_ready.set(self.before_ready.get() + 1);
        let mut summary = self.summary.borrow_mut();
        summary.accepted += 1;
        summary.peak_open = summary.peak_open.max(open);
    }

    pub(crate) fn closed(&self, was_ready: bool) {
        self.open.set(self.open.get().saturating_sub(1));
        if !was_ready {
            self.before_ready.set(self.before_ready.get().saturating_sub(1));
        }
    }
}

/// A socket that is bound, and listens unless a fault says otherwise.
pub(crate) struct Bound {
    socket: Socket,
    pub(crate) address: SocketAddr,
    listens: bool,
    /// Connections of our own that keep the backlog full.
    _fillers: Vec<Socket>,
}

/// Binds and listens.
pub(crate) fn bind(config: &Config) -> Result<Bound, StartError> {
    let fail = |cause| StartError::Listen {
        address: config.listen,
        cause,
    };
    let has = |kind: &Kind| config.faults.iter().any(|f| f.kind == *kind);
    let domain = Domain::for_address(config.listen);
    let make = || -> io::Result<Bound> {
        let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(config.share_port)?;
        socket.bind(&config.listen.into())?;
        let bound = |socket: &Socket| {
            socket
                .local_addr()?
                .as_socket()
                .ok_or_else(|| io::Error::other("no address"))
        };
        let address = bound(&socket)?;
        let (listens, fillers) = if has(&Kind::NotListening) {
            (false, Vec::new())
        } else if has(&Kind::SynDrop) {
            socket.listen(0)?;
            (false, fill_backlog(address)?)
        } else {
            socket.listen(BACKLOG)?;
            (true, Vec::new())
        };
        Ok(Bound {
            socket,
            address,
            listens,
            _fillers: fillers,
        })
    };
    make().map_err(fail)
}

/// A backlog of 0 takes one connection; the kernel drops the SYNs of all that follow.
fn fill_backlog(address: SocketAddr) -> io::Result<Vec<Socket>> {
    let mut fillers = Vec::new();
    for _ in 0..4 {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        // In progress is what is wanted; those beyond the first stay so.
        let _ = socket.connect(&address.into());
        fillers.push(socket);
    }
    Ok(fillers)
}

/// Serves until told to stop.
pub(crate) async fn serve(
    config: Config,
    bound: Bound,
    mut orders: mpsc::UnboundedReceiver<Order>,
    started: std::sync::mpsc::Sender<Result<(), StartError>>,
) -> Summary {
    let (shared, listener, acceptor) = match set_up(&config, &bound) {
        Ok(parts) => parts,
        Err(error) => {
            let _ = started.send(Err(error));
            return Summary::default();
        }
    };
    let _ = started.send(Ok(()));
    let faults = FaultPlan::new(config.faults.clone(), config.seed);
    let tls_close = config.faults.iter().any(|f| f.kind == Kind::TlsClose);
    let tasks = LocalSet::new();
    let mut ordinal = 0;
    let mut restarting_until: Option<tokio::time::Instant> = None;
    tasks
        .run_until(async {
            let mut beat = tokio::time::interval(Duration::from_millis(200));
            loop {
                let accepted = async {
                    match &listener {
                        Some(listener) => listener.accept().await,
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    biased;
                    order = orders.recv() => match order {
                        Some(Order::Restart) => {
                            let stop = Stop::Restart { expected_ms: 1500 };
                            stop_all(&shared, stop).await;
                            restarting_until = Some(tokio::time::Instant::now() + Duration::from_millis(1500));
                        }
                        Some(Order::Report(to)) => drop(to.send(shared.summary.borrow().clone())),
                        Some(Order::Stop) | None => {
                            stop_all(&shared, Stop::Stop).await;
                            return;
                        }
                    },
                    result = accepted => match result {
                        Ok((stream, peer)) => {
                            let restarting =
                                restarting_until.is_some_and(|until| tokio::time::Instant::now() < until);
                            accept(&shared, &faults, acceptor.as_ref(), tls_close, stream, peer, ordinal, restarting);
                            ordinal += 1;
                        }
                        Err(error) => {
                            shared.summary.borrow_mut().accept_errors += 1;
                            shared.log.line(&format!("[gateway] accept failed: {error}"));
                            tokio::time::sleep(ACCEPT_PAUSE).await;
                        }
                    },
                    _ = beat.tick() => {
                        shared.log.flush();
                        if shared.openclaw.authority.take_restart_request() {
                            stop_all(&shared, Stop::Restart { expected_ms: 1500 }).await;
                            restarting_until = Some(tokio::time::Instant::now() + Duration::from_millis(1500));
                        }
                    }
                }
            }
        })
        .await;
    shared.log.flush();
    shared.summary.take()
}

type Parts = (Rc<Shared>, Option<TcpListener>, Option<TlsAcceptor>);

/// Everything that can go wrong before the first connection.
fn set_up(config: &Config, bound: &Bound) -> Result<Parts, StartError> {
    let fail = |cause| StartError::Listen {
        address: config.listen,
        cause,
    };
    let shared = Rc::new(shared(config, bound.address)?);
    let acceptor = config
        .tls
        .then(tls::self_signed)
        .transpose()
        .map_err(StartError::Tls)?;
    let listener = if bound.listens {
        let socket: std::net::TcpListener = bound.socket.try_clone().map_err(fail)?.into();
        Some(TcpListener::from_std(socket).map_err(fail)?)
    } else {
        None
    };
    Ok((shared, listener, acceptor))
}

#[expect(clippy::too_many_arguments, reason = "what one accept depends on")]
fn accept(
    shared: &Rc<Shared>,
    faults: &FaultPlan,
    acceptor: Option<&TlsAcceptor>,
    tls_close: bool,
    stream: TcpStream,
    peer: SocketAddr,
    ordinal: u64,
    restarting: bool,
) {
    shared.opened();
    let _ = stream.set_nodelay(true);
    let mut faults = faults.of(ordinal, shared.now().since(Instant::ORIGIN));
    if restarting {
        faults.push(crate::fault::FaultSpec::new(Kind::Unavailable));
    }
    let shared = shared.clone();
    match acceptor {
        Some(acceptor) if !tls_close => {
            let acceptor = acceptor.clone();
            tokio::task::spawn_local(async move {
                match acceptor.accept(stream).await {
                    Ok(tls) => connection::serve(shared, Stream::Tls(Box::new(tls)), peer, faults).await,
                    Err(error) => connection::tls_failed(&shared, peer, &error),
                }
            });
        }
        _ => drop(tokio::task::spawn_local(connection::serve(
            shared,
            Stream::Plain(stream),
            peer,
            faults,
        ))),
    }
}

/// Ends all connections and waits for them, but not for ever.
async fn stop_all(shared: &Shared, stop: Stop) {
    shared.stop_kind.set(stop);
    shared.stop.notify_waiters();
    let deadline = tokio::time::Instant::now() + STOP_GRACE;
    while shared.open.get() > 0 && tokio::time::Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn shared(config: &Config, address: SocketAddr) -> Result<Shared, StartError> {
    let authority = Authority::new(AuthorityConfig {
        token: config.token.clone(),
        password: config.password.clone(),
        auto_approve_local: config.mode != Mode::Strict,
        failures: match config.mode {
            Mode::Open => FailurePolicy::Open,
            Mode::Stock => FailurePolicy::Penalty,
            Mode::Strict => FailurePolicy::LockOut,
        },
        seed: config.seed,
        ..AuthorityConfig::default()
    });
    let epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let gateway = GatewayConfig {
        epoch_ms: i64::try_from(epoch.as_millis()).unwrap_or(0),
        started: Instant::ORIGIN,
        tick_interval: config.tick,
        realistic_hello: config.realistic_hello,
        ..GatewayConfig::default()
    };
    let defaults = ServerConfig::openclaw();
    let server_config = ServerConfig {
        handshake_timeout: config.handshake_timeout.or(defaults.handshake_timeout),
        ping_every: Some(config.ping).filter(|p| !p.is_zero()),
        ..defaults
    };
    let budget = config.preauth_budget.unwrap_or(if config.mode == Mode::Open {
        0
    } else {
        STOCK_BUDGET
    });
    let log = Log::open(config.log.as_deref(), config.verbose).map_err(|cause| StartError::Log {
        path: config
            .log
            .as_ref()
            .map(|p| p.display().to_string())
            .unwrap_or_default(),
        cause,
    })?;
    Ok(Shared {
        origin: tokio::time::Instant::now(),
        address,
        server_config: Arc::new(server_config),
        openclaw: Arc::new(Gateway::new(gateway, authority)),
        scratch: RefCell::new(vec![0; SCRATCH_BYTES]),
        outbox: RefCell::new(Outbox::server()),
        log,
        summary: RefCell::default(),
        keep_endings: config.keep_endings,
        stop: Notify::new(),
        stop_kind: Cell::new(Stop::Stop),
        budget: RefCell::new(PreauthBudget::new(budget)),
        open: Cell::new(0),
        before_ready: Cell::new(0),
    })
}
