continue = Weiter
code = Code
reference = Referenz
for-admin = Für Ihre IT-Abteilung
expected = Erwartet
received = Erhalten

login-title = Anmelden
login-title-to = Bei { $application } anmelden
login-email = Ihre geschäftliche E-Mail-Adresse
login-email-hint = Sie führt Sie zum Anmeldedienst Ihres Unternehmens.
login-unknown = Für diese Adresse gibt es hier keine Anmeldung. Prüfen Sie die Schreibweise oder fragen Sie Ihre IT-Abteilung.
login-remembered = Weiter mit { $domain }
login-or = oder mit einer anderen Adresse
login-by-name = Stattdessen den Kurznamen Ihrer Organisation verwenden
login-name = Kurzname Ihrer Organisation
login-name-hint = Er ist der letzte Teil des Anmeldelinks, den Sie von Ihrer IT-Abteilung haben.
login-name-unknown = Dieser Name führt hier zu keiner Anmeldung. Prüfen Sie die Schreibweise oder fragen Sie Ihre IT-Abteilung nach dem Link.

password-title = Passwort eingeben
password-email = E-Mail-Adresse oder Benutzername
password-password = Passwort
password-hint = Es ist das Passwort Ihres Unternehmenskontos.
password-wrong = Name und Passwort passen nicht zusammen. Prüfen Sie beides oder fragen Sie Ihre IT-Abteilung.
password-busy = Es waren zu viele Versuche. Warten Sie einige Minuten und versuchen Sie es dann erneut.
password-over = Diese Anmeldung hat zu lange gedauert. Beginnen Sie noch einmal in der Anwendung.
password-button = Anmelden

break-glass-title = Mit einem Notfallcode anmelden
break-glass-code = Notfallcode
break-glass-hint = Er steht auf der Liste Ihrer Administratoren. Jeder Code gilt einmal und für eine Stunde.
break-glass-wrong = Name und Code passen nicht zusammen, oder der Code wurde schon benutzt. Prüfen Sie beides oder nehmen Sie den nächsten.

ways-title = Wie möchten Sie sich anmelden?
ways-text = Ihre Organisation wechselt zu ihrem eigenen Anmeldedienst. Bis das abgeschlossen ist, gehen beide Wege.
ways-sso = Mit dem Unternehmenskonto anmelden
ways-own = Wie bisher anmelden

link-title = Unternehmenskonto verknüpfen
link-text = Von nun an meldet sich { $email } bei { $application } mit dem Unternehmenskonto von { $tenant } an. Fahren Sie nur fort, wenn Sie das sind.
link-button = Verknüpfen und anmelden

invitation-title = Sie sind zu { $application } eingeladen
invitation-text = { $tenant } lädt { $email } ein. Sie melden sich mit Ihrem Unternehmenskonto an.
invitation-button = Annehmen und anmelden
invitation-over-title = Diese Einladung gilt nicht mehr.

mail-invitation-text = { $tenant } gibt Ihnen Zugang zu { $application }. Melden Sie sich mit Ihrem Unternehmenskonto { $email } an.
mail-invitation-link = Wenn die Schaltfläche nicht funktioniert, öffnen Sie diese Adresse im Browser:
mail-invitation-until = Der Link gilt bis { $date }.
mail-invitation-why = Sie erhalten diese Nachricht, weil { $tenant } die Adresse { $email } zu { $application } hinzugefügt hat. Wenn Sie nicht wissen, warum, fragen Sie Ihre IT-Abteilung. Sie können die Nachricht auch ignorieren; dann geschieht nichts.

moving-title = Einen Moment
moving-idp = Sie werden zum Anmeldedienst Ihres Unternehmens weitergeleitet. Wenn nichts geschieht, klicken Sie auf die Schaltfläche.
moving-app = Sie werden zur Anwendung weitergeleitet. Wenn nichts geschieht, klicken Sie auf die Schaltfläche.

sign-out = Abmelden
sign-out-asked = Von { $application } abmelden?
sign-out-asked-all = Von allen Anwendungen abmelden?
sign-out-asked-text = Sie werden auch beim Anmeldedienst Ihres Unternehmens abgemeldet, wenn dieser das unterstützt.
sign-out-done = Sie sind abgemeldet.
sign-out-done-text = Sie können dieses Fenster schließen.
sign-out-partly-text = Der Anmeldedienst Ihres Unternehmens konnte Sie nicht überall abmelden. Schließen Sie sicherheitshalber alle Fenster Ihres Browsers.
sign-out-here-text = Beim Anmeldedienst Ihres Unternehmens sind Sie vielleicht noch angemeldet. Melden Sie sich an einem gemeinsam genutzten Computer auch dort ab oder schließen Sie alle Fenster Ihres Browsers.

signed-in = Sie sind angemeldet
signed-in-text = Öffnen Sie jetzt { $application }; Sie werden nicht noch einmal gefragt.

start-text = Das Identitätsportal dieses Dienstes: Unternehmen verbinden hier ihren Identitätsanbieter, ihre Leute melden sich an, und Anwendungen erfahren, wer sie sind.
start-person = Ich möchte mich anmelden
start-person-text = Beginnen Sie in Ihrer Anwendung oder mit dem Link, den Sie von Ihrer IT-Abteilung haben. Er sieht so aus: { $link }.
start-person-login = Oder finden Sie Ihre Anmeldung über Ihre E-Mail-Adresse
start-admin = Ich bin IT-Admin
start-admin-text = Sie brauchen vier Werte Ihrer Verbindung. Die Betreiber der Anwendung können sie mit { $command } auslesen; sie tragen die Bezeichnungen aus Oktas Formularen:
start-admin-token = das Token, das nur bei seiner Erstellung angezeigt wird
start-developer = Ich entwickle eine Anwendung
start-developer-text = Richten Sie eine beliebige OpenID-Connect-Bibliothek auf diesen Aussteller:

next-again = Versuchen Sie es aus Ihrer Anwendung noch einmal. Wenn es wieder geschieht, schicken Sie diese Seite an Ihre IT-Abteilung.
next-admin = Fragen Sie Ihre IT-Abteilung; auf dieser Seite steht, was sie tun kann.
next-seconds = Warten Sie einige Sekunden und versuchen Sie es erneut.
next-vendor = Versuchen Sie es noch einmal. Wenn es wieder geschieht, schicken Sie diese Seite an die Betreiber der Anwendung.
next-back = Gehen Sie zurück und versuchen Sie es noch einmal. Wenn es wieder geschieht, schicken Sie diese Seite an die Betreiber der Anwendung.
next-address = Prüfen Sie die Adresse oder beginnen Sie in Ihrer Anwendung.

error-request = Die Anwendung hat eine Anmeldeanfrage geschickt, die nicht verwendet werden kann.
error-not-set-up = Unter dieser Adresse gibt es noch keine Anmeldung.
error-not-set-up-next = Prüfen Sie die Adresse. Wenn sie stimmt, bitten Sie Ihre IT-Abteilung, die Einrichtung abzuschließen: Hier fehlen noch die Metadaten des Identitätsanbieters.
error-suspended = Die Anmeldung ist für Ihre Organisation ausgesetzt.
error-suspended-next = Fragen Sie Ihre IT-Abteilung; nur die Betreiber der Anwendung können Ihre Organisation wieder zulassen.
error-unavailable = Die Anmeldung ist im Moment nicht verfügbar.
error-internal = Bei uns ist etwas schiefgegangen.
error-nothing = Unter dieser Adresse gibt es nichts.
error-form = Was Ihr Browser gesendet hat, kann hier nicht verwendet werden.
error-refused = Sie können nicht angemeldet werden.

refusal-GH-USR-006 = Dieses Konto gehört beim Identitätsanbieter zu einer anderen Identität; bitten Sie Ihre IT-Abteilung, den Anwendungs-Benutzernamen zu prüfen.
refusal-GH-USR-008 = Es ist noch nicht bestätigt, wem dieses Konto gehört; bitten Sie Ihre IT-Abteilung, es bestätigen zu lassen.
refusal-GH-USR-013 = Dieses Konto gehört schon zu jemandem, daher kann der Link es nicht mit Ihnen verknüpfen. Melden Sie sich in der Anwendung an oder bitten Sie deren Anbieter, beide zusammenzuführen.
refusal-GH-SEA-001 = Alle Plätze Ihrer Organisation sind vergeben; bitten Sie Ihre IT-Abteilung um einen Platz.
refusal-GH-SEA-002 = Alle Plätze Ihrer Organisation sind vergeben, und Sie sind für den nächsten vorgemerkt; bitten Sie Ihre IT-Abteilung um einen Platz.
refusal-GH-INV-001 = Die Einladung ist abgelaufen; bitten Sie um eine neue.
refusal-GH-INV-002 = Die Einladung wurde schon verwendet. Melden Sie sich in der Anwendung an.
refusal-GH-INV-003 = Die Einladung wurde zurückgezogen; bitten Sie um eine neue.
refusal-other = Fragen Sie Ihre IT-Abteilung; auf dieser Seite steht, was sie tun kann.

saml-UNREADABLE = Der Anmeldedienst Ihres Unternehmens hat eine Antwort geschickt, die nicht gelesen werden konnte.
saml-UNTRUSTED = Die Antwort des Anmeldedienstes Ihres Unternehmens konnte nicht geprüft werden.
saml-SETUP = Die Verbindung zwischen dem Anmeldedienst Ihres Unternehmens und dieser Anwendung ist nicht richtig eingerichtet.
saml-ENCRYPTED = Der Anmeldedienst Ihres Unternehmens hat eine verschlüsselte Antwort geschickt, die nicht geöffnet werden konnte.
saml-IDENTITY = Der Anmeldedienst Ihres Unternehmens hat nicht klar gesagt, wer Sie sind.
saml-DENIED = Der Anmeldedienst Ihres Unternehmens hat Sie nicht zugelassen.
saml-LATE = Diese Anmeldung hat zu lange gedauert; bitte beginnen Sie noch einmal.
saml-CLOCK = Die Uhr des Anmeldedienstes Ihres Unternehmens stimmt nicht mit unserer überein.
saml-AGAIN = Diese Anmeldung kann nicht abgeschlossen werden; bitte beginnen Sie noch einmal.
saml-START_HERE = Bitte beginnen Sie die Anmeldung in der Anwendung selbst.
saml-UNASSIGNED = Ihnen ist diese Anwendung nicht zugewiesen.
saml-DEACTIVATED = Ihr Konto für diese Anwendung ist deaktiviert.
saml-CONTEXT = Diese Anwendung verlangt eine stärkere Art der Anmeldung.
saml-LOGOUT = Die Abmeldung konnte beim Anmeldedienst Ihres Unternehmens nicht abgeschlossen werden.
saml-BUSY = Es waren zu viele Versuche; bitte versuchen Sie es gleich noch einmal.
