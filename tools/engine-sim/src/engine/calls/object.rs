//! The handle of a generic object, master dimension or master measure.

use serde_json::{Value, json};

use crate::engine::{
    association::Mode,
    cube::{Cube, CubeDefinition, Rect},
    doc::{Doc, Ending},
    layout,
    list::List,
    object::{Object, Patching},
    rpc::{Answer, Fault, nothing, out},
};

use super::{Desk, select};

pub(super) fn answer(desk: &mut Desk<'_>, id: &str) -> Result<Answer, Fault> {
    match desk.request.method.as_str() {
        "GetLayout" => layout_of(desk, id),
        "GetInfo" => Ok(out("qInfo", found(desk.session.doc()?, id)?.info().clone())),
        "GetProperties" => properties(desk, id),
        "GetEffectiveProperties" => Ok(out(
            "qProp",
            found(desk.session.doc()?, id)?.effective().clone(),
        )),
        "SetProperties" => set_properties(desk, id),
        "ApplyPatches" => apply_patches(desk, id),
        "ClearSoftPatches" => {
            desk.session.doc_mut()?.change(id, |object| {
                object.clear_soft_patches();
                Ok(())
            })?;
            Ok(nothing())
        }
        "GetHyperCubeData" => {
            let cut = |cube: &Cube<'_>, page| cube.page(page);
            Ok(out("qDataPages", pages(desk, id, cut)?))
        }
        "GetHyperCubeReducedData" => {
            let cut = |cube: &Cube<'_>, page| cube.reduced(page);
            Ok(out("qDataPages", pages(desk, id, cut)?))
        }
        "GetHyperCubeStackData" => {
            let cut = |cube: &Cube<'_>, page| cube.stack(page);
            Ok(out("qDataPages", pages(desk, id, cut)?))
        }
        "GetListObjectData" => list_pages(desk, id),
        "SearchListObjectFor" => search(desk, id),
        "AbortListObjectSearch" => {
            set_search(desk, id, None)?;
            Ok(nothing())
        }
        "AcceptListObjectSearch" => accept_search(desk, id),
        "BeginSelections" => begin(desk, id),
        "EndSelections" => end(desk),
        "ExportData" => Ok(out("qUrl", json!("/tempcontent/none"))),
        _ => select::answer(desk, id),
    }
}

/// The definition at `qPath`, which may be written with or without the leading slash.
pub(super) fn definition<'a>(doc: &'a Doc, id: &str, path: &str) -> Result<&'a Value, Fault> {
    let path = if path.starts_with('/') {
        path.to_owned()
    } else {
        format!("/{path}")
    };
    let found = found(doc, id)?.effective().pointer(&path);
    found
        .filter(|def| def.is_object())
        .ok_or_else(|| Fault::invalid_object(&path))
}

fn found<'a>(doc: &'a Doc, id: &str) -> Result<&'a Object, Fault> {
    doc.object(id).ok_or_else(|| Fault::not_found(id))
}

fn layout_of(desk: &mut Desk<'_>, id: &str) -> Result<Answer, Fault> {
    let doc = desk.session.doc()?;
    let layout = layout::layout(doc, found(doc, id)?);
    desk.session.refresh(desk.seat, desk.request.handle);
    Ok(out("qLayout", layout))
}

fn properties(desk: &Desk<'_>, id: &str) -> Result<Answer, Fault> {
    Ok(out(
        "qProp",
        found(desk.session.doc()?, id)?.properties().clone(),
    ))
}

fn set_properties(desk: &mut Desk<'_>, id: &str) -> Result<Answer, Fault> {
    let properties = desk.request.param(0, "qProp").clone();
    desk.session
        .doc_mut()?
        .change(id, |object| object.set_properties(properties))?;
    Ok(nothing())
}

fn apply_patches(desk: &mut Desk<'_>, id: &str) -> Result<Answer, Fault> {
    let patches = desk.request.list(0, "qPatches");
    let soft = desk.request.flag(1, "qSoftPatch");
    let patching = if soft { Patching::Soft } else { Patching::Hard };
    desk.session
        .doc_mut()?
        .change(id, |object| object.patch(patches, patching))?;
    Ok(nothing())
}

fn pages(
    desk: &Desk<'_>,
    id: &str,
    cut: impl Fn(&Cube<'_>, Rect) -> Value,
) -> Result<Value, Fault> {
    let doc = desk.session.doc()?;
    let def = definition(doc, id, desk.request.text(0, "qPath")?)?;
    let definition = CubeDefinition::parse(def, &doc.app.table, doc);
    let cube = Cube::calculate(&definition, doc.view(id));
    Ok(desk
        .request
        .list(1, "qPages")
        .iter()
        .map(|page| cut(&cube, Rect::parse(page)))
        .collect())
}

fn list_pages(desk: &Desk<'_>, id: &str) -> Result<Answer, Fault> {
    let doc = desk.session.doc()?;
    let def = definition(doc, id, desk.request.text(0, "qPath")?)?;
    let list = List::new(def, doc, found(doc, id)?.search());
    let pages = desk.request.list(1, "qPages").iter();
    Ok(out(
        "qDataPages",
        pages.map(|page| list.page(Rect::parse(page))).collect(),
    ))
}

fn search(desk: &mut Desk<'_>, id: &str) -> Result<Answer, Fault> {
    let wanted = desk.request.text(1, "qMatch")?.to_owned();
    set_search(desk, id, Some(wanted).filter(|wanted| !wanted.is_empty()))?;
    Ok(out("qSuccess", json!(true)))
}

/// Selects what the search found, and ends it.
fn accept_search(desk: &mut Desk<'_>, id: &str) -> Result<Answer, Fault> {
    let doc = desk.session.doc()?;
    let def = definition(doc, id, desk.request.text(0, "qPath")?)?;
    let elements = List::new(def, doc, found(doc, id)?.search())
        .elements()
        .to_vec();
    let mode = Mode::toggle_when(desk.request.flag(1, "qToggleMode"));
    let field = select::list_field(desk, id)?;
    desk.session
        .doc_mut()?
        .choose(Some(id), |chosen, _| chosen.select(field, &elements, mode))?;
    set_search(desk, id, None)?;
    Ok(nothing())
}

fn set_search(desk: &mut Desk<'_>, id: &str, wanted: Option<String>) -> Result<(), Fault> {
    desk.session.doc_mut()?.change(id, |object| {
        object.set_search(wanted);
        Ok(())
    })
}

fn begin(desk: &mut Desk<'_>, id: &str) -> Result<Answer, Fault> {
    desk.session.doc_mut()?.begin(id)?;
    Ok(nothing())
}

fn end(desk: &mut Desk<'_>) -> Result<Answer, Fault> {
    let ending = if desk.request.flag(0, "qAccept") {
        Ending::Accept
    } else {
        Ending::Abort
    };
    desk.session.doc_mut()?.end(ending);
    Ok(nothing())
}
