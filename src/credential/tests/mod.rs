mod canary;
mod endpoint;
mod keeper;
mod support;
