//! A job of ComfyUI: asked under our name for it, found again by that name, looked at until it ends.

use serde_json::{Value, json};

use super::super::call::{Call, TRIES, Unanswered};
use super::super::failure::Failure;
use super::super::form::{escaped, node_errors, wrong};
use super::super::graphs::Graph;
use super::super::http::Ask;
use super::super::ledger::State;

/// How many entries of the history are searched for a job that has another name than ours.
const HISTORY: u32 = 64;

/// Looks that find a job neither at work, nor waiting, nor done, until it counts as lost.
const MISSES: u32 = 2;

/// Has `graph` run, once, and its result downloaded into the ledger.
pub(super) fn run(call: &mut Call<'_>, graph: &Graph) -> Result<(), Failure> {
    if matches!(call.ledger.state(), State::Asked) {
        find_again(call)?;
    }
    for _ in 0..TRIES {
        if matches!(call.ledger.state(), State::Nothing) {
            submit(call, graph)?;
        }
    }
    if matches!(call.ledger.state(), State::Nothing) {
        return Err(call.unreachable("it drops each request, and does not know it afterwards"));
    }
    let State::Running { job, .. } = call.ledger.state().clone() else { return Ok(()) };
    let file = follow(call, &job, graph)?;
    let part = |name: &str| escaped(file[name].as_str().unwrap_or_default()).replace('/', "%2F");
    let place = format!(
        "/view?filename={}&subfolder={}&type={}",
        part("filename"),
        part("subfolder"),
        part("type")
    );
    let ask = get(call, place);
    call.download(&ask)
}

fn get(call: &Call<'_>, path: String) -> Ask {
    Ask::get(path).bearer(call.secret())
}

/// Submits the graph; where the answer is lost, looks whether the server has it.
fn submit(call: &mut Call<'_>, graph: &Graph) -> Result<(), Failure> {
    let secret = call.secret().map(str::to_owned);
    let ask = |id: &str| {
        let body = json!({"prompt": graph.nodes, "client_id": id, "prompt_id": id});
        Ask::json("/prompt", &body).bearer(secret.as_deref())
    };
    let submitted = call.submit(false, &ask, &mut |ledger, answer| {
        let bytes = answer.bytes()?;
        let value: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        let Some(job) = value["prompt_id"].as_str() else {
            return Err(wrong("name of a job", answer.status, &answer.media, &bytes).into());
        };
        if let Some(errors) = node_errors(&value) {
            return Err(Failure::new(format!("job-failed: the graph is refused: {errors}")).into());
        }
        Ok(ledger.run(job)?)
    });
    match submitted {
        Ok(()) => Ok(()),
        Err(Unanswered::Unknown(_)) => find_again(call),
        Err(unanswered) => Err(call.told(unanswered, true)),
    }
}

/// Looks whether the server has what was asked under our name; if it surely has not, nothing is open.
fn find_again(call: &mut Call<'_>) -> Result<(), Failure> {
    let id = call.ledger.id().to_owned();
    // What we sent last may not have been read yet.
    for look in 0..MISSES {
        if look > 0 {
            call.pause(call.settings.look, "")?;
        }
        if let Some(job) = find(call, &id)? {
            return call.ledger.run(&job);
        }
    }
    call.ledger.clear()
}

/// The server's name for the job that we call `id`: old servers give names of their own.
fn find(call: &mut Call<'_>, id: &str) -> Result<Option<String>, Failure> {
    let is_ours = |item: &Value| item[1] == id || item[3]["client_id"] == id;
    for item in queue(call)? {
        if is_ours(&item) {
            return Ok(item[1].as_str().map(str::to_owned));
        }
    }
    if history(call, id)?.is_some() {
        return Ok(Some(id.to_owned()));
    }
    let all = look(call, format!("/history?max_items={HISTORY}"))?;
    let mut entries = all.as_object().into_iter().flatten();
    let ours = entries.find(|(_, entry)| is_ours(&entry["prompt"]));
    Ok(ours.map(|(job, _)| job.clone()))
}

/// All that is at work or waits.
fn queue(call: &mut Call<'_>) -> Result<Vec<Value>, Failure> {
    let queue = look(call, "/queue".to_owned())?;
    let items = ["queue_running", "queue_pending"].map(|name| queue[name].as_array().cloned());
    match items {
        [Some(running), Some(pending)] => Ok([running, pending].concat()),
        _ => Err(wrong("queue of ComfyUI", 200, "application/json", queue.to_string().as_bytes())),
    }
}

/// The entry of a job that ended.
fn history(call: &mut Call<'_>, job: &str) -> Result<Option<Value>, Failure> {
    let entries = look(call, format!("/history/{}", escaped(job)))?;
    Ok(entries.get(job).filter(|entry| entry.is_object()).cloned())
}

fn look(call: &mut Call<'_>, path: String) -> Result<Value, Failure> {
    let ask = get(call, path);
    match call.json(&ask)? {
        (200, value) => Ok(value),
        (status, _) => {
            Err(Failure::new(format!("{} answers {status} at `{}`", call.settings.name, ask.path))
                .hint(format!("is `{}` a ComfyUI?", call.settings.url)))
        }
    }
}

/// Looks at a job until it ends; the answer describes its file.
fn follow(call: &mut Call<'_>, job: &str, graph: &Graph) -> Result<Value, Failure> {
    let most = (call.settings.pace * 10).max(call.settings.look);
    let mut wait = call.settings.look;
    let mut misses = 0;
    loop {
        if let Some(entry) = history(call, job)? {
            return ended(&entry, graph).map_err(|why| {
                let failure = Failure::new(format!("job-failed: {}: {why}", call.settings.name));
                match call.ledger.clear() {
                    Ok(()) => failure,
                    Err(local) => local,
                }
            });
        }
        let waits = queue(call)?.iter().any(|item| item[1] == job);
        misses = if waits { 0 } else { misses + 1 };
        // A job may end between the two looks, so that neither finds it.
        if misses >= MISSES {
            call.ledger.clear()?;
            return Err(Failure::new(format!(
                "job-lost: {} does not know job {job} any more; it was perhaps started again",
                call.settings.name
            ))
            .hint("the submission is forgotten; the next run asks again"));
        }
        if misses == 0 || misses > 1 {
            call.pause(wait, "")?;
            wait = (wait * 3 / 2).min(most);
        }
    }
}

/// The file that a job made, or why there is none.
fn ended(entry: &Value, graph: &Graph) -> Result<Value, String> {
    let status = &entry["status"];
    let messages = status["messages"].as_array().map_or(&[][..], Vec::as_slice);
    if let Some(error) = messages.iter().find(|message| message[0] == "execution_error") {
        let error = &error[1];
        let text = |name: &str| error[name].as_str().unwrap_or("unknown").trim().to_owned();
        return Err(format!(
            "node {} ({}) failed: {}: {}",
            text("node_id"),
            text("node_type"),
            text("exception_type"),
            text("exception_message")
        ));
    }
    if messages.iter().any(|message| message[0] == "execution_interrupted") {
        return Err("somebody interrupted it".to_owned());
    }
    if status["status_str"] == "error" {
        return Err(format!("it failed, and says `{status}`"));
    }
    let outputs = entry["outputs"].as_object();
    let all = || outputs.into_iter().flatten();
    // The result's own node first; others may show previews.
    let own = all().filter(|(node, _)| *node == graph.result);
    let others = all().filter(|(node, _)| *node != graph.result);
    for (_, output) in own.chain(others) {
        for kind in ["gifs", "videos", "video", "images"] {
            let files = output[kind].as_array().map_or(&[][..], Vec::as_slice);
            let file = files.iter().find(|file| file["filename"].is_string());
            if let Some(file) = file {
                return Ok(file.clone());
            }
        }
    }
    Err("it ended without a file".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph() -> Graph {
        Graph { nodes: json!({"7": {"class_type": "SaveImage"}}), result: "7" }
    }

    #[test]
    fn the_file_of_the_results_node_is_taken() {
        let file = |name: &str| json!([{"filename": name, "subfolder": "", "type": "output"}]);
        let entry = json!({
            "status": {"status_str": "success", "completed": true, "messages": []},
            "outputs": {"3": {"images": file("preview.png")}, "7": {"images": file("a.png")}},
        });
        assert_eq!(ended(&entry, &graph()).unwrap()["filename"], "a.png");
        let film = json!({"outputs": {"7": {"gifs": file("a.mp4"), "images": file("a.png")}}});
        assert_eq!(ended(&film, &graph()).unwrap()["filename"], "a.mp4");
        assert!(ended(&json!({"outputs": {}}), &graph()).is_err());
    }

    #[test]
    fn the_node_that_failed_is_told() {
        let error = json!({
            "node_id": "5", "node_type": "KSampler", "exception_type": "OutOfMemoryError",
            "exception_message": "no memory\n",
        });
        let messages = json!([["execution_start", {}], ["execution_error", error]]);
        let entry = json!({"status": {"status_str": "error", "messages": messages}, "outputs": {}});
        let why = ended(&entry, &graph()).unwrap_err();
        assert_eq!(why, "node 5 (KSampler) failed: OutOfMemoryError: no memory");
    }
}
