//! A herd of sockets costs as many fetches as there are people in it.

use engine_sim::engine::SALES_APP;
use engine_sim::tenant::{Script, TokenFault};
use futures_util::{StreamExt, stream};

use crate::support::{Recipe, soon};

#[tokio::test]
async fn a_thousand_sockets_of_a_hundred_people_cost_a_hundred_fetches() {
    let world = Recipe::default().impersonating().start().await;
    // Slow enough that some wait for it.
    world
        .tenant
        .script(Script::Token(TokenFault::Delay { ms: 300 }));
    let visits = (0..1000).map(|n| {
        let knock = world.visit(&format!("person-{}", n % 100), SALES_APP);
        knock.open()
    });
    // No more at once than the system lets wait at a door.
    let open: Vec<_> = stream::iter(visits).buffered(100).collect().await;
    assert_eq!(world.tenant.sockets_open(), 1000);
    assert_eq!(world.tenant.state().token_fetches, 100);
    drop(open);
    soon(world.tenant.until(|state| state.sockets_open == 0)).await;
}
