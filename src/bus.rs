//! The handler for SIGBUS: a mapped file that somebody truncates must not kill the program.

use std::{io, mem::MaybeUninit, ptr, sync::OnceLock};

use logweir::{MapPermit, survive_bus_error};

/// What was done about SIGBUS before.
static BEFORE: OnceLock<libc::sigaction> = OnceLock::new();

/// Installs the handler. With it, files may be mapped.
pub fn install() -> io::Result<MapPermit> {
    let mut before = MaybeUninit::uninit();
    // SAFETY: both point to valid memory; a null action only asks.
    let before = unsafe {
        if libc::sigaction(libc::SIGBUS, ptr::null(), before.as_mut_ptr()) != 0 {
            return Err(io::Error::last_os_error());
        }
        before.assume_init()
    };
    BEFORE.get_or_init(|| before);
    // SAFETY: all zeros is a valid `sigaction`, whose fields are then set.
    let mut action: libc::sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
    action.sa_sigaction = on_bus_error as *const () as usize;
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
    // SAFETY: `action` is whole, and its handler does only what a signal handler may.
    if unsafe { libc::sigaction(libc::SIGBUS, &raw const action, ptr::null_mut()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the handler that was just installed keeps what is asked for.
    Ok(unsafe { MapPermit::new() })
}

extern "C" fn on_bus_error(_: libc::c_int, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    // SAFETY: the kernel gives a handler with SA_SIGINFO a valid `info`, and for SIGBUS its address is set, unless
    // somebody sent the signal, which a code of 0 or less says.
    let (code, address) = unsafe { ((*info).si_code, (*info).si_addr() as usize) };
    if code <= 0 {
        return die();
    }
    if survive_bus_error(address) {
        return;
    }
    // Not ours: what was done before is done again, and the access is repeated when this returns.
    if let Some(before) = BEFORE.get() {
        // SAFETY: `before` is what the system said was installed.
        unsafe { libc::sigaction(libc::SIGBUS, before, ptr::null_mut()) };
    }
}

/// A signal that somebody sent would not come again by itself, and the runtime's own handler counts on that.
fn die() {
    // SAFETY: both may be called in a handler; the signal is delivered when it returns.
    unsafe {
        libc::signal(libc::SIGBUS, libc::SIG_DFL);
        libc::raise(libc::SIGBUS);
    }
}
