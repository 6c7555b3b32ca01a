// Show how far the job is, as the server tells it. Without this, the page is loaded every two
// seconds.
const job = document.getElementById("job");
const events = new EventSource(job.dataset.events);

events.onmessage = (event) => {
  const { status, progress, message } = JSON.parse(event.data);
  if (["complete", "failed", "aborted"].includes(status)) {
    events.close();
    location.reload();
    return;
  }
  document.getElementById("status").textContent = status[0].toUpperCase() + status.slice(1);
  document.getElementById("progress").value = progress;
  document.getElementById("message").textContent = message;
};
