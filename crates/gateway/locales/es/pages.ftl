continue = Continuar
code = Código
reference = Referencia
for-admin = Para su departamento de TI
expected = Esperado
received = Recibido

login-title = Iniciar sesión
login-title-to = Iniciar sesión en { $application }
login-email = Su correo electrónico del trabajo
login-email-hint = Le lleva al servicio de acceso de su empresa.
login-unknown = Aquí no hay acceso para esta dirección. Compruebe cómo está escrita o pregunte a su departamento de TI.
login-remembered = Continuar con { $domain }
login-or = o con otra dirección
login-by-name = Usar el nombre corto de su organización
login-name = Nombre corto de su organización
login-name-hint = Es la última parte del enlace de acceso que le dio su departamento de TI.
login-name-unknown = Ese nombre no lleva aquí a ningún acceso. Compruebe cómo está escrito o pida el enlace a su departamento de TI.

password-title = Introduzca su contraseña
password-email = Correo electrónico o nombre de usuario
password-password = Contraseña
password-hint = Es la contraseña de su cuenta de empresa.
password-wrong = Ese nombre y esa contraseña no coinciden. Compruebe ambos o pregunte a su departamento de TI.
password-busy = Ha habido demasiados intentos. Espere unos minutos y vuelva a intentarlo.
password-over = Este inicio de sesión ha tardado demasiado. Empiece de nuevo desde la aplicación.
password-button = Iniciar sesión

break-glass-title = Iniciar sesión con un código de emergencia
break-glass-code = Código de emergencia
break-glass-hint = Está en la lista de sus administradores. Cada código vale una vez y durante una hora.
break-glass-wrong = Ese nombre y ese código no coinciden, o el código ya se usó. Compruebe ambos o tome el siguiente código.

ways-title = ¿Cómo quiere iniciar sesión?
ways-text = Su organización está cambiando a su propio servicio de acceso. Mientras tanto funcionan las dos maneras.
ways-sso = Iniciar sesión con la cuenta de empresa
ways-own = Iniciar sesión como hasta ahora

link-title = Vincular su cuenta de empresa
link-text = A partir de ahora, { $email } inicia sesión en { $application } con la cuenta de empresa de { $tenant }. Continúe solo si es usted.
link-button = Vincular e iniciar sesión

invitation-title = Tiene una invitación a { $application }
invitation-text = { $tenant } invita a { $email }. Inicie sesión con su cuenta de empresa.
invitation-button = Aceptar e iniciar sesión
invitation-over-title = Esta invitación ya no es válida.

mail-invitation-text = { $tenant } le da acceso a { $application }. Inicie sesión con su cuenta de empresa, { $email }.
mail-invitation-link = Si el botón no funciona, abra esta dirección en su navegador:
mail-invitation-until = El enlace es válido hasta el { $date }.
mail-invitation-why = Recibe este mensaje porque { $tenant } ha añadido { $email } a { $application }. Si no sabe por qué, pregunte a su administrador de TI. Si lo ignora, no ocurre nada.

moving-title = Un momento
moving-idp = Le estamos llevando al servicio de acceso de su empresa. Si no ocurre nada, pulse el botón.
moving-app = Le estamos llevando a la aplicación. Si no ocurre nada, pulse el botón.

sign-out = Cerrar sesión
sign-out-asked = ¿Cerrar la sesión de { $application }?
sign-out-asked-all = ¿Cerrar la sesión de todas las aplicaciones?
sign-out-asked-text = También se cerrará su sesión en el servicio de acceso de su empresa, si este lo admite.
sign-out-done = Ha cerrado la sesión.
sign-out-done-text = Puede cerrar esta ventana.
sign-out-partly-text = El servicio de acceso de su empresa no ha podido cerrar la sesión en todas partes. Por seguridad, cierre todas las ventanas del navegador.
sign-out-here-text = Puede que su sesión siga abierta en el servicio de acceso de su empresa. En un equipo compartido, ciérrela también allí o cierre todas las ventanas del navegador.

signed-in = Ha iniciado sesión
signed-in-text = Abra ahora { $application }; no se le volverá a preguntar.

start-text = La puerta de identidad de este servicio: las empresas conectan aquí su proveedor de identidad, su gente inicia sesión y las aplicaciones saben quién es.
start-person = Quiero iniciar sesión
start-person-text = Empiece en su aplicación o con el enlace que le dio su departamento de TI. Tiene esta forma: { $link }.
start-person-login = O encuentre su acceso con su correo electrónico
start-admin = Soy administrador de TI
start-admin-text = Necesita cuatro valores de su conexión. Los responsables de la aplicación pueden leerlos con { $command }; llevan los nombres de los formularios de Okta:
start-admin-token = el token, que se muestra una sola vez al crearlo
start-developer = Desarrollo una aplicación
start-developer-text = Configure cualquier biblioteca de OpenID Connect con este emisor:

next-again = Vuelva a intentarlo desde su aplicación. Si ocurre de nuevo, envíe esta página a su departamento de TI.
next-admin = Pregunte a su departamento de TI; esta página dice qué puede hacer.
next-seconds = Espere unos segundos y vuelva a intentarlo.
next-vendor = Vuelva a intentarlo. Si ocurre de nuevo, envíe esta página a los responsables de la aplicación.
next-back = Vuelva atrás e inténtelo otra vez. Si ocurre de nuevo, envíe esta página a los responsables de la aplicación.
next-address = Compruebe la dirección o empiece en su aplicación.

error-request = La aplicación ha enviado una solicitud de acceso que no se puede usar.
error-not-set-up = Todavía no hay inicio de sesión único en esta dirección.
error-not-set-up-next = Compruebe la dirección. Si es correcta, pida a su departamento de TI que termine la configuración: aquí faltan aún los metadatos del proveedor de identidad.
error-suspended = El acceso de su organización está en pausa.
error-suspended-next = Pregunte a su departamento de TI; solo los responsables de la aplicación pueden volver a dar acceso a su organización.
error-unavailable = El acceso no está disponible en este momento.
error-internal = Algo ha fallado por nuestra parte.
error-nothing = No hay nada en esta dirección.
error-form = Lo que envió su navegador no se puede utilizar aquí.
error-refused = No se puede iniciar su sesión.

refusal-GH-USR-006 = Esta cuenta pertenece a otra identidad en el proveedor de identidad; pida a su departamento de TI que compruebe el nombre de usuario de la aplicación.
refusal-GH-USR-008 = Aún no se ha confirmado de quién es esta cuenta; pida a su departamento de TI que la confirmen.
refusal-GH-USR-013 = Esta cuenta ya está vinculada a alguien, así que el enlace no puede vincularla a usted. Inicie sesión desde la aplicación o pida a su proveedor que una las dos.
refusal-GH-SEA-001 = Todas las plazas de su organización están ocupadas; pida una a su departamento de TI.
refusal-GH-SEA-002 = Todas las plazas de su organización están ocupadas y usted está en espera de la siguiente; pida una a su departamento de TI.
refusal-GH-INV-001 = La invitación ha caducado; pida una nueva.
refusal-GH-INV-002 = La invitación ya se ha usado. Inicie sesión desde la aplicación.
refusal-GH-INV-003 = La invitación se ha retirado; pida una nueva.
refusal-other = Pregunte a su departamento de TI; esta página dice qué puede hacer.

saml-UNREADABLE = El servicio de acceso de su empresa ha enviado una respuesta que no se puede leer.
saml-UNTRUSTED = No se ha podido verificar la respuesta del servicio de acceso de su empresa.
saml-SETUP = La conexión entre el servicio de acceso de su empresa y esta aplicación no está bien configurada.
saml-ENCRYPTED = El servicio de acceso de su empresa ha enviado una respuesta cifrada que no se ha podido abrir.
saml-IDENTITY = El servicio de acceso de su empresa no ha dicho con claridad quién es usted.
saml-DENIED = El servicio de acceso de su empresa no le ha dejado entrar.
saml-LATE = Este inicio de sesión ha tardado demasiado; empiece de nuevo.
saml-CLOCK = El reloj del servicio de acceso de su empresa no coincide con el nuestro.
saml-AGAIN = Este inicio de sesión no se puede completar; empiece de nuevo.
saml-START_HERE = Inicie la sesión desde la propia aplicación.
saml-UNASSIGNED = No se le ha asignado esta aplicación.
saml-DEACTIVATED = Su cuenta en esta aplicación está desactivada.
saml-CONTEXT = Esta aplicación exige una forma más segura de iniciar sesión.
saml-LOGOUT = No se ha podido completar el cierre de sesión en el servicio de acceso de su empresa.
saml-BUSY = Ha habido demasiados intentos; vuelva a intentarlo en un momento.
