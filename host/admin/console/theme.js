// Before the first paint: the theme that was chosen here, if one was.
try {
  const chosen = localStorage.getItem("portcullis-theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
} catch {
  // Storage may be off; then the system decides.
}
