//! Stories in a real browser with a real identity provider: Chromium, and SimpleSAMLphp from Debian.
//! Identity providers are at 127.0.0.1, the gateway and the app at localhost: to a browser these are different sites.

mod appearance;
mod authlib;
mod chromium;
mod clients;
mod deactivation;
mod front;
mod openid_client;
mod other_browser;
mod process;
mod pysaml2;
mod simplesaml;
mod simplesamlphp;
mod simplesamlphp_more;
mod stage;
mod suites;
