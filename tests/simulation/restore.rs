//! The server is lost, and an old backup of it comes back: a new epoch, which the devices refill.

use crate::host::ServerBackup;
use crate::world::World;

/// Certificates that end before so many days are renewed by whoever restores the server.
const RENEWED_DAYS: i64 = 30;
const DAY_MS: i64 = 24 * 3_600_000;

impl World<'_> {
    /// Keeps what the server's disk holds, for later.
    pub(crate) fn back_up_server(&mut self) {
        self.trouble.server_backup = Some(self.net.host.back_up());
        self.net.tally.borrow_mut().event("backups of the server");
    }

    /// The server's disk is lost, and the backup comes back in a new epoch. Not where a device came back from a
    /// backup of its own: what both had lost nobody could bring.
    pub(crate) fn restore_server(&mut self) {
        if self.trouble.restored > 0 || self.book.server_restored {
            return;
        }
        let Some(backup) = self.trouble.server_backup.take() else { return };
        self.fault("server: restored from an old backup");
        self.end_server();
        self.book.server_restored = true;
        self.net.host.restore(&backup);
        // Its program has a key of its own, and the server forgot it.
        self.trouble.rogue = None;
        self.start_server();
        self.renew_what_ends();
    }

    /// Renewals that came after the backup are lost with the server, and made again.
    fn renew_what_ends(&mut self) {
        let host = &self.net.host;
        let soon = host.now_ms() + RENEWED_DAYS * DAY_MS;
        for node in self.nodes.iter().filter(|node| !node.barred) {
            if host.ends_before(node.device, soon) {
                host.certify_until(node.device, host.now_ms() + 700 * DAY_MS);
            }
        }
    }
}

impl std::fmt::Debug for ServerBackup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerBackup").field("made_ms", &self.made_ms).finish_non_exhaustive()
    }
}
