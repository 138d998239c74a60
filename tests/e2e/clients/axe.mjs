// Prints axe, which judges whether everybody can use a page.
import axe from "axe-core";

process.stdout.write(axe.source);
