//! `ruhu-server serve`: answers devices and readers until told to stop.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::{CommandError, Context, ServeFlags};
use crate::photos::PhotoShelf;
use crate::serve::{ServeError, Serving, asked_to_stop, serve as run};
use crate::telemetry;

pub(super) fn serve(context: &mut Context<'_>, flags: &ServeFlags) -> Result<(), CommandError> {
    let config = context.config(flags.settings())?;
    let (store, keys) = context.open(&config)?;
    telemetry::init(config.log_format, context.environment.get("RUST_LOG").map(String::as_str));
    let url = config.url();
    let photos = PhotoShelf::open(&config.photos, context.data)?;
    let (store, keys, clock) = (Arc::new(store), Arc::new(keys), Arc::clone(&context.clock));
    let serving = Serving { config, store, photos, keys, clock };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|source| CommandError::Serve(ServeError::Io(source)))?;
    runtime.block_on(async {
        let (ready, listening) = oneshot::channel();
        let running = run(serving, ready, asked_to_stop());
        let announce = async {
            if let Ok(bound) = listening.await {
                context.say("server_listening", &[("url", &url), ("address", &bound.api)])?;
            }
            Ok(())
        };
        let (served, announced) = tokio::join!(running, announce);
        served.map_err(CommandError::Serve).and(announced)
    })
}
