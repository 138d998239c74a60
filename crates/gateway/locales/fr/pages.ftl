continue = Continuer
code = Code
reference = Référence
for-admin = Pour votre service informatique
expected = Attendu
received = Reçu

login-title = Se connecter
login-title-to = Se connecter à { $application }
login-email = Votre adresse e-mail professionnelle
login-email-hint = Elle vous mène au service de connexion de votre entreprise.
login-unknown = Il n'y a pas de connexion ici pour cette adresse. Vérifiez-la ou demandez à votre service informatique.
login-remembered = Continuer avec { $domain }
login-or = ou avec une autre adresse
login-by-name = Utiliser plutôt le nom court de votre organisation
login-name = Nom court de votre organisation
login-name-hint = C'est la dernière partie du lien de connexion que votre service informatique vous a donné.
login-name-unknown = Ce nom ne mène à aucune connexion ici. Vérifiez-le ou demandez le lien à votre service informatique.

password-title = Saisissez votre mot de passe
password-email = Adresse e-mail ou nom d'utilisateur
password-password = Mot de passe
password-hint = C'est le mot de passe de votre compte d'entreprise.
password-wrong = Ce nom et ce mot de passe ne vont pas ensemble. Vérifiez les deux ou demandez à votre service informatique.
password-busy = Il y a eu trop de tentatives. Attendez quelques minutes, puis réessayez.
password-over = Cette connexion a pris trop de temps. Recommencez depuis l'application.
password-button = Se connecter

break-glass-title = Se connecter avec un code de secours
break-glass-code = Code de secours
break-glass-hint = Il figure sur la liste de vos administrateurs. Chaque code sert une fois, pour une heure.
break-glass-wrong = Ce nom et ce code ne vont pas ensemble, ou le code a déjà servi. Vérifiez les deux ou prenez le code suivant.

ways-title = Comment voulez-vous vous connecter ?
ways-text = Votre organisation passe à son propre service de connexion. D'ici là, les deux voies fonctionnent.
ways-sso = Se connecter avec le compte d'entreprise
ways-own = Se connecter comme avant

link-title = Associer votre compte d'entreprise
link-text = Désormais, { $email } se connecte à { $application } avec le compte d'entreprise de { $tenant }. Continuez seulement si c'est vous.
link-button = Associer et se connecter

invitation-title = Vous êtes invité(e) à utiliser { $application }
invitation-text = { $tenant } invite { $email }. Vous vous connectez avec votre compte d'entreprise.
invitation-button = Accepter et se connecter
invitation-over-title = Cette invitation n'est plus valable.

mail-invitation-text = { $tenant } vous donne accès à { $application }. Connectez-vous avec votre compte d'entreprise, { $email }.
mail-invitation-link = Si le bouton ne fonctionne pas, ouvrez cette adresse dans votre navigateur :
mail-invitation-until = Le lien est valable jusqu'au { $date }.
mail-invitation-why = Vous recevez ce message parce que { $tenant } a ajouté { $email } à { $application }. Si vous ne savez pas pourquoi, demandez à votre administrateur informatique. Si vous l'ignorez, il ne se passe rien.

moving-title = Un instant
moving-idp = Vous êtes dirigé vers le service de connexion de votre entreprise. Si rien ne se passe, appuyez sur le bouton.
moving-app = Vous êtes dirigé vers l'application. Si rien ne se passe, appuyez sur le bouton.

sign-out = Se déconnecter
sign-out-asked = Se déconnecter de { $application } ?
sign-out-asked-all = Se déconnecter de toutes les applications ?
sign-out-asked-text = Vous serez aussi déconnecté du service de connexion de votre entreprise, s'il le permet.
sign-out-done = Vous êtes déconnecté.
sign-out-done-text = Vous pouvez fermer cette fenêtre.
sign-out-partly-text = Le service de connexion de votre entreprise n'a pas pu vous déconnecter partout. Par sécurité, fermez toutes les fenêtres de votre navigateur.
sign-out-here-text = Vous êtes peut-être encore connecté au service de votre entreprise. Sur un ordinateur partagé, déconnectez-vous aussi là-bas ou fermez toutes les fenêtres de votre navigateur.

signed-in = Vous êtes connecté
signed-in-text = Ouvrez maintenant { $application } ; rien ne vous sera redemandé.

start-text = La passerelle d'identité de ce service : les entreprises y relient leur fournisseur d'identité, leurs équipes se connectent, et les applications apprennent qui elles sont.
start-person = Je veux me connecter
start-person-text = Partez de votre application ou du lien que votre service informatique vous a donné. Il ressemble à { $link }.
start-person-login = Ou trouvez votre connexion grâce à votre adresse e-mail
start-admin = Je suis administrateur informatique
start-admin-text = Il vous faut quatre valeurs de votre connexion. Les responsables de l'application peuvent les lire avec { $command } ; elles portent les libellés des formulaires d'Okta :
start-admin-token = le jeton, affiché une seule fois à sa création
start-developer = Je développe une application
start-developer-text = Indiquez cet émetteur à n'importe quelle bibliothèque OpenID Connect :

next-again = Réessayez depuis votre application. Si cela se reproduit, envoyez cette page à votre service informatique.
next-admin = Demandez à votre service informatique ; cette page dit ce qu'il peut faire.
next-seconds = Attendez quelques secondes et réessayez.
next-vendor = Réessayez. Si cela se reproduit, envoyez cette page aux responsables de l'application.
next-back = Revenez en arrière et réessayez. Si cela se reproduit, envoyez cette page aux responsables de l'application.
next-address = Vérifiez l'adresse ou partez de votre application.

error-request = L'application a envoyé une demande de connexion inutilisable.
error-not-set-up = Il n'y a pas encore de connexion unique à cette adresse.
error-not-set-up-next = Vérifiez l'adresse. Si elle est juste, demandez à votre service informatique de terminer la configuration : les métadonnées du fournisseur d'identité manquent encore ici.
error-suspended = La connexion est suspendue pour votre organisation.
error-suspended-next = Demandez à votre service informatique ; seuls les responsables de l'application peuvent rouvrir l'accès à votre organisation.
error-unavailable = La connexion n'est pas disponible pour le moment.
error-internal = Un problème est survenu de notre côté.
error-nothing = Il n'y a rien à cette adresse.
error-form = Ce que votre navigateur a envoyé ne peut pas être utilisé ici.
error-refused = Vous ne pouvez pas être connecté.

refusal-GH-USR-006 = Ce compte appartient à une autre identité chez le fournisseur d'identité ; demandez à votre service informatique de vérifier le nom d'utilisateur de l'application.
refusal-GH-USR-008 = Il n'est pas encore confirmé à qui appartient ce compte ; demandez à votre service informatique de le faire confirmer.
refusal-GH-USR-013 = Ce compte est déjà associé à quelqu'un ; le lien ne peut pas l'associer à vous. Connectez-vous depuis l'application ou demandez à son éditeur de fusionner les deux.
refusal-GH-SEA-001 = Toutes les places de votre organisation sont prises ; demandez une place à votre service informatique.
refusal-GH-SEA-002 = Toutes les places de votre organisation sont prises et vous êtes en attente de la prochaine ; demandez une place à votre service informatique.
refusal-GH-INV-001 = L'invitation a expiré ; demandez-en une nouvelle.
refusal-GH-INV-002 = L'invitation a déjà servi. Connectez-vous depuis l'application.
refusal-GH-INV-003 = L'invitation a été retirée ; demandez-en une nouvelle.
refusal-other = Demandez à votre service informatique ; cette page dit ce qu'il peut faire.

saml-UNREADABLE = Le service de connexion de votre entreprise a envoyé une réponse illisible.
saml-UNTRUSTED = La réponse du service de connexion de votre entreprise n'a pas pu être vérifiée.
saml-SETUP = La liaison entre le service de connexion de votre entreprise et cette application n'est pas bien configurée.
saml-ENCRYPTED = Le service de connexion de votre entreprise a envoyé une réponse chiffrée qui n'a pas pu être ouverte.
saml-IDENTITY = Le service de connexion de votre entreprise n'a pas dit clairement qui vous êtes.
saml-DENIED = Le service de connexion de votre entreprise ne vous a pas laissé entrer.
saml-LATE = Cette connexion a pris trop de temps ; veuillez recommencer.
saml-CLOCK = L'horloge du service de connexion de votre entreprise ne concorde pas avec la nôtre.
saml-AGAIN = Cette connexion ne peut pas aboutir ; veuillez recommencer.
saml-START_HERE = Veuillez commencer la connexion depuis l'application elle-même.
saml-UNASSIGNED = Cette application ne vous a pas été attribuée.
saml-DEACTIVATED = Votre compte pour cette application est désactivé.
saml-CONTEXT = Cette application demande une façon plus sûre de se connecter.
saml-LOGOUT = La déconnexion n'a pas pu aboutir auprès du service de connexion de votre entreprise.
saml-BUSY = Il y a eu trop de tentatives ; veuillez réessayer dans un instant.
