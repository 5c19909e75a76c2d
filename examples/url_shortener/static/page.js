// All that JavaScript is for: copying an address, and the number of the day that is pointed at.
"use strict";

for (const button of document.querySelectorAll("[data-copy]")) {
  const field = document.getElementById(button.dataset.copy);
  const status = document.getElementById("copied");
  button.hidden = false;
  button.addEventListener("click", async () => {
    field.select();
    try {
      await navigator.clipboard.writeText(field.value); // only on https and localhost
    } catch {
      document.execCommand("copy");
    }
    button.textContent = "Copied";
    status.textContent = "The address was copied.";
    setTimeout(() => {
      button.textContent = "Copy";
      status.textContent = "";
    }, 2000);
  });
}

for (const chart of document.querySelectorAll(".chart")) {
  const value = chart.querySelector("figcaption");
  chart.addEventListener("pointerover", (event) => {
    const day = event.target.closest(".day");
    value.textContent = day ? day.dataset.text : "\u00a0";
  });
  chart.addEventListener("pointerleave", () => {
    value.textContent = "\u00a0";
  });
}
