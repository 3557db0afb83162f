//! SIGINT and SIGTERM: the first one asks a run to end, the second one ends it. SIGHUP: begin anew.

use std::{
    io::{self, Read},
    os::unix::net::UnixStream,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use logweir::limits;
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    flag,
    low_level::pipe,
};

const SIGNALS: [i32; 2] = [SIGINT, SIGTERM];

/// Exit code of a run that was interrupted.
pub const INTERRUPTED: u8 = 130;

/// What signals set.
pub struct Signals {
    /// Nothing runs yet that could be ended in order: any signal ends the process.
    is_early: Arc<AtomicBool>,
    interrupted: Arc<AtomicBool>,
    /// SIGHUP came, where it is caught.
    hung_up: Arc<AtomicBool>,
}

impl Signals {
    /// From now on, a signal ends the process with the exit code for it.
    pub fn install() -> io::Result<Self> {
        let signals =
            Self { is_early: Arc::new(AtomicBool::new(true)), interrupted: Arc::default(), hung_up: Arc::default() };
        let is_second = Arc::new(AtomicBool::new(false));
        let (heard, hears) = UnixStream::pair()?;
        for signal in SIGNALS {
            flag::register_conditional_shutdown(signal, INTERRUPTED.into(), Arc::clone(&signals.is_early))?;
            flag::register_conditional_shutdown(signal, INTERRUPTED.into(), Arc::clone(&is_second))?;
            flag::register(signal, Arc::clone(&signals.interrupted))?;
            pipe::register(signal, heard.try_clone()?)?;
        }
        let builder = thread::Builder::new().name("logweir-signals".to_owned());
        builder.spawn(move || await_echo(hears, &is_second))?;
        Ok(signals)
    }

    /// The same, and from now on SIGHUP ends nothing: what it asks for is kept until [`Self::reload`].
    pub fn install_with_hangup() -> io::Result<Self> {
        let hung_up = Arc::default();
        flag::register(SIGHUP, Arc::clone(&hung_up))?;
        Ok(Self { hung_up, ..Self::install()? })
    }

    /// From now on, the first signal sets `stop`, and only the second one ends the process.
    pub fn set(&self, stop: &Arc<AtomicBool>) -> io::Result<()> {
        for signal in SIGNALS {
            flag::register(signal, Arc::clone(stop))?;
        }
        self.is_early.store(false, Ordering::SeqCst);
        Ok(())
    }

    /// From now on, SIGHUP sets `reload`, and then `stop`; one that came before sets them now.
    pub fn reload(&self, reload: &Arc<AtomicBool>, stop: &Arc<AtomicBool>) -> io::Result<()> {
        flag::register(SIGHUP, Arc::clone(reload))?;
        flag::register(SIGHUP, Arc::clone(stop))?;
        if self.hung_up.load(Ordering::SeqCst) {
            reload.store(true, Ordering::SeqCst);
            stop.store(true, Ordering::SeqCst);
        }
        Ok(())
    }

    /// True when a signal asked for the end.
    pub fn is_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }

    /// Waits for a signal.
    pub fn wait(&self) {
        while !self.interrupted.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Waits for the first signal, and until what comes is no echo of it any more: from then on, `is_second` says.
fn await_echo(mut hears: UnixStream, is_second: &AtomicBool) {
    // Fails only where nobody can send anything.
    if hears.read_exact(&mut [0]).is_ok() {
        thread::sleep(limits::SIGNAL_ECHO_TIME);
        is_second.store(true, Ordering::SeqCst);
    }
}
