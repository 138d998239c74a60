# Pages that people see. Every language has all of these messages; a test compares them.

continue = Continue
code = Code
reference = Reference
for-admin = For your IT admin
expected = Expected
received = Received

login-title = Sign in
login-title-to = Sign in to { $application }
login-email = Your work e-mail address
login-email-hint = It leads you to your company's sign-in service.
login-unknown = There is no sign-in for this address here. Check its spelling, or ask your IT admin.
login-remembered = Continue with { $domain }
login-or = or with another address
login-by-name = Use your organization's short name instead
login-name = Short name of your organization
login-name-hint = It is the last part of the sign-in link that your IT admin gave you.
login-name-unknown = That name leads to no sign-in here. Check its spelling, or ask your IT admin for the link.

password-title = Enter your password
password-email = E-mail address or user name
password-password = Password
password-hint = It is the password of your company account.
password-wrong = This name and password do not belong together. Check both, or ask your IT admin.
password-busy = There were too many attempts. Wait a few minutes, then try again.
password-over = This sign-in took too long. Start again from the application.
password-button = Sign in

break-glass-title = Sign in with an emergency code
break-glass-code = Emergency code
break-glass-hint = It stands on the list that your administrator has. Each code works once, for an hour.
break-glass-wrong = This name and code do not belong together, or the code was used. Check both, or take the next code.

ways-title = How do you want to sign in?
ways-text = Your organization is moving to its own sign-in service. Until that is done, both ways work.
ways-sso = Sign in with your company account
ways-own = Sign in as before

link-title = Link your company account
link-text = From now on { $email } signs in to { $application } with the company account of { $tenant }. Continue only if that is you.
link-button = Link and sign in

invitation-title = You are invited to { $application }
invitation-text = { $tenant } invites { $email }. You sign in with your company account.
invitation-button = Accept and sign in
invitation-over-title = This invitation does not work any more.

mail-invitation-text = { $tenant } gives you access to { $application }. Sign in with your company account, { $email }.
mail-invitation-link = If the button does not work, open this address in your browser:
mail-invitation-until = The link works until { $date }.
mail-invitation-why = You get this message because { $tenant } added { $email } to { $application }. If you do not know why, ask your IT admin. Nothing happens if you ignore it.

moving-title = One moment
moving-idp = You are on your way to your company's sign-in service. If nothing happens, press the button.
moving-app = You are on your way to the application. If nothing happens, press the button.

sign-out = Sign out
sign-out-asked = Sign out of { $application }?
sign-out-asked-all = Sign out of all applications?
sign-out-asked-text = You will also be signed out at your company's sign-in service, if it takes part in this.
sign-out-done = You are signed out.
sign-out-done-text = You can close this window.
sign-out-partly-text = Your company's sign-in service could not sign you out everywhere. Close all windows of your browser to be safe.
sign-out-here-text = You may still be signed in at your company's sign-in service. On a computer that others use, sign out there too, or close all windows of your browser.

signed-in = You are signed in
signed-in-text = Open { $application } now; it will not ask you again.

start-text = The identity gateway of this service: companies connect their identity provider here, their people sign in, and applications learn who they are.
start-person = I want to sign in
start-person-text = Start from your application or from the link your IT admin gave you. It looks like { $link }.
start-person-login = Or find your sign-in by your e-mail address
start-admin = I am an IT admin
start-admin-text = You need four values of your connection. The people who run the application can read them with { $command }; they carry the labels of Okta's forms:
start-admin-token = the token, shown once when it is made
start-developer = I build an application
start-developer-text = Point any OpenID Connect library at this issuer:

next-again = Try again from your application. If it happens again, send this page to your IT admin.
next-admin = Ask your IT admin; this page says what they can do.
next-seconds = Wait a few seconds and try again.
next-vendor = Try again. If it happens again, send this page to the people who run the application.
next-back = Go back and try again. If it happens again, send this page to the people who run the application.
next-address = Check the address, or start from your application.

error-request = The application sent a sign-in request that cannot be used.
error-not-set-up = There is no single sign-on at this address yet.
error-not-set-up-next = Check the address. If it is right, ask your IT admin to finish the set-up: the identity provider's metadata is still missing here.
error-suspended = Sign-in is paused for your organization.
error-suspended-next = Ask your IT admin; only the people who run the application can let your organization in again.
error-unavailable = Sign-in is not available right now.
error-internal = Something went wrong on our side.
error-nothing = There is nothing at this address.
error-form = What your browser sent cannot be used here.
error-refused = You cannot be signed in.

refusal-GH-USR-006 = This account belongs to another identity at the identity provider; ask your IT admin to check the user's Application username.
refusal-GH-USR-008 = It is not confirmed yet whose account this is; ask your IT admin to have it confirmed.
refusal-GH-USR-013 = This account is tied to somebody already, so the link cannot tie it to you. Sign in from the application, or ask its vendor to merge the two.
refusal-GH-SEA-001 = All seats of your organization are taken; ask your IT admin for a seat.
refusal-GH-SEA-002 = All seats of your organization are taken, and you are in line for the next one; ask your IT admin for a seat.
refusal-GH-INV-001 = The invitation has expired; ask for a new one.
refusal-GH-INV-002 = The invitation has been used. Sign in from the application.
refusal-GH-INV-003 = The invitation was withdrawn; ask for a new one.
refusal-other = Ask your IT admin; this page says what they can do.

saml-UNREADABLE = Your company's sign-in service sent an answer that could not be read.
saml-UNTRUSTED = The answer of your company's sign-in service could not be verified.
saml-SETUP = The connection between your company's sign-in service and this application is not set up correctly.
saml-ENCRYPTED = Your company's sign-in service sent an encrypted answer that could not be opened.
saml-IDENTITY = Your company's sign-in service did not say clearly who you are.
saml-DENIED = Your company's sign-in service did not let you in.
saml-LATE = This sign-in took too long; please start again.
saml-CLOCK = The clock of your company's sign-in service does not agree with ours.
saml-AGAIN = This sign-in cannot be completed; please start again.
saml-START_HERE = Please start signing in from the application itself.
saml-UNASSIGNED = You have not been assigned to this application.
saml-DEACTIVATED = Your account for this application is deactivated.
saml-CONTEXT = This application asks for a stronger way of signing in.
saml-LOGOUT = Signing out could not be completed with your company's sign-in service.
saml-BUSY = There were too many attempts; please try again in a moment.
