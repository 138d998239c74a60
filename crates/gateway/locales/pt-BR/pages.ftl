continue = Continuar
code = Código
reference = Referência
for-admin = Para a sua equipe de TI
expected = Esperado
received = Recebido

login-title = Entrar
login-title-to = Entrar em { $application }
login-email = Seu e-mail de trabalho
login-email-hint = Ele leva você ao serviço de login da sua empresa.
login-unknown = Não há login aqui para este endereço. Confira a grafia ou fale com a sua equipe de TI.
login-remembered = Continuar com { $domain }
login-or = ou com outro endereço
login-by-name = Usar o nome curto da sua organização
login-name = Nome curto da sua organização
login-name-hint = É a última parte do link de login que a sua equipe de TI passou.
login-name-unknown = Esse nome não leva a nenhum login aqui. Confira a grafia ou peça o link à sua equipe de TI.

password-title = Digite a sua senha
password-email = E-mail ou nome de usuário
password-password = Senha
password-hint = É a senha da sua conta da empresa.
password-wrong = Esse nome e essa senha não combinam. Confira os dois ou fale com a sua equipe de TI.
password-busy = Houve tentativas demais. Espere alguns minutos e tente de novo.
password-over = Este login demorou demais. Comece de novo pelo aplicativo.
password-button = Entrar

break-glass-title = Entrar com um código de emergência
break-glass-code = Código de emergência
break-glass-hint = Ele está na lista dos seus administradores. Cada código vale uma vez, por uma hora.
break-glass-wrong = Esse nome e esse código não combinam, ou o código já foi usado. Confira os dois ou use o próximo código.

ways-title = Como você quer entrar?
ways-text = A sua organização está mudando para o próprio serviço de login. Até lá, os dois jeitos funcionam.
ways-sso = Entrar com a conta da empresa
ways-own = Entrar como antes

link-title = Vincular a sua conta da empresa
link-text = A partir de agora, { $email } entra em { $application } com a conta da empresa de { $tenant }. Continue só se for você.
link-button = Vincular e entrar

invitation-title = Você recebeu um convite para { $application }
invitation-text = { $tenant } convida { $email }. Você entra com a sua conta da empresa.
invitation-button = Aceitar e entrar
invitation-over-title = Este convite não vale mais.

mail-invitation-text = { $tenant } dá a você acesso a { $application }. Entre com a sua conta da empresa, { $email }.
mail-invitation-link = Se o botão não funcionar, abra este endereço no navegador:
mail-invitation-until = O link vale até { $date }.
mail-invitation-why = Você recebe esta mensagem porque { $tenant } adicionou { $email } a { $application }. Se não souber por quê, pergunte ao administrador de TI. Se ignorar, nada acontece.

moving-title = Um momento
moving-idp = Você está indo para o serviço de login da sua empresa. Se nada acontecer, pressione o botão.
moving-app = Você está indo para o aplicativo. Se nada acontecer, pressione o botão.

sign-out = Sair
sign-out-asked = Sair de { $application }?
sign-out-asked-all = Sair de todos os aplicativos?
sign-out-asked-text = Você também sairá do serviço de login da sua empresa, se ele permitir.
sign-out-done = Você saiu.
sign-out-done-text = Você pode fechar esta janela.
sign-out-partly-text = O serviço de login da sua empresa não conseguiu encerrar tudo. Por segurança, feche todas as janelas do navegador.
sign-out-here-text = Você ainda pode estar conectado no serviço de login da sua empresa. Em um computador compartilhado, saia de lá também ou feche todas as janelas do navegador.

signed-in = Você entrou
signed-in-text = Abra { $application } agora; nada será perguntado de novo.

start-text = O portal de identidade deste serviço: as empresas conectam aqui o seu provedor de identidade, as pessoas entram e os aplicativos sabem quem elas são.
start-person = Quero entrar
start-person-text = Comece pelo seu aplicativo ou pelo link que a sua equipe de TI passou. Ele se parece com { $link }.
start-person-login = Ou encontre o seu login pelo seu e-mail
start-admin = Sou administrador de TI
start-admin-text = Você precisa de quatro valores da sua conexão. Os responsáveis pelo aplicativo podem lê-los com { $command }; eles têm os nomes dos formulários da Okta:
start-admin-token = o token, mostrado uma única vez ao ser criado
start-developer = Desenvolvo um aplicativo
start-developer-text = Aponte qualquer biblioteca OpenID Connect para este emissor:

next-again = Tente de novo pelo seu aplicativo. Se acontecer outra vez, envie esta página à sua equipe de TI.
next-admin = Fale com a sua equipe de TI; esta página diz o que ela pode fazer.
next-seconds = Espere alguns segundos e tente de novo.
next-vendor = Tente de novo. Se acontecer outra vez, envie esta página aos responsáveis pelo aplicativo.
next-back = Volte e tente de novo. Se acontecer outra vez, envie esta página aos responsáveis pelo aplicativo.
next-address = Confira o endereço ou comece pelo seu aplicativo.

error-request = O aplicativo enviou um pedido de login que não pode ser usado.
error-not-set-up = Ainda não há login único neste endereço.
error-not-set-up-next = Confira o endereço. Se estiver certo, peça à sua equipe de TI que termine a configuração: aqui ainda faltam os metadados do provedor de identidade.
error-suspended = O login da sua organização está suspenso.
error-suspended-next = Fale com a sua equipe de TI; só os responsáveis pelo aplicativo podem liberar a sua organização de novo.
error-unavailable = O login não está disponível agora.
error-internal = Algo deu errado do nosso lado.
error-nothing = Não há nada neste endereço.
error-form = O que seu navegador enviou não pode ser usado aqui.
error-refused = Não é possível fazer o seu login.

refusal-GH-USR-006 = Esta conta pertence a outra identidade no provedor de identidade; peça à sua equipe de TI que confira o nome de usuário do aplicativo.
refusal-GH-USR-008 = Ainda não foi confirmado de quem é esta conta; peça à sua equipe de TI que a confirme.
refusal-GH-USR-013 = Esta conta já está vinculada a alguém, por isso o link não pode vinculá-la a você. Entre pelo aplicativo ou peça ao fornecedor que una as duas.
refusal-GH-SEA-001 = Todas as licenças da sua organização estão em uso; peça uma à sua equipe de TI.
refusal-GH-SEA-002 = Todas as licenças da sua organização estão em uso e você está na fila pela próxima; peça uma à sua equipe de TI.
refusal-GH-INV-001 = O convite expirou; peça um novo.
refusal-GH-INV-002 = O convite já foi usado. Entre pelo aplicativo.
refusal-GH-INV-003 = O convite foi retirado; peça um novo.
refusal-other = Fale com a sua equipe de TI; esta página diz o que ela pode fazer.

saml-UNREADABLE = O serviço de login da sua empresa enviou uma resposta que não pôde ser lida.
saml-UNTRUSTED = A resposta do serviço de login da sua empresa não pôde ser verificada.
saml-SETUP = A conexão entre o serviço de login da sua empresa e este aplicativo não está bem configurada.
saml-ENCRYPTED = O serviço de login da sua empresa enviou uma resposta cifrada que não pôde ser aberta.
saml-IDENTITY = O serviço de login da sua empresa não disse com clareza quem você é.
saml-DENIED = O serviço de login da sua empresa não deixou você entrar.
saml-LATE = Este login demorou demais; comece de novo.
saml-CLOCK = O relógio do serviço de login da sua empresa não bate com o nosso.
saml-AGAIN = Este login não pode ser concluído; comece de novo.
saml-START_HERE = Comece o login pelo próprio aplicativo.
saml-UNASSIGNED = Este aplicativo não foi atribuído a você.
saml-DEACTIVATED = A sua conta neste aplicativo está desativada.
saml-CONTEXT = Este aplicativo exige uma forma mais segura de entrar.
saml-LOGOUT = A saída não pôde ser concluída no serviço de login da sua empresa.
saml-BUSY = Houve tentativas demais; tente de novo em um instante.
