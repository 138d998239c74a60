continue = 続ける
code = コード
reference = 照会番号
for-admin = IT管理者の方へ
expected = 期待値
received = 受信値

login-title = サインイン
login-title-to = { $application } にサインイン
login-email = 勤務先のメールアドレス
login-email-hint = 会社のサインインサービスにご案内します。
login-unknown = このアドレスのサインインはここにはありません。入力内容を確認するか、IT管理者にお問い合わせください。
login-remembered = { $domain } で続ける
login-or = または別のアドレスで
login-by-name = 組織の短縮名を使う
login-name = 組織の短縮名
login-name-hint = IT管理者から受け取ったサインイン用リンクの末尾の部分です。
login-name-unknown = この名前のサインインはここにはありません。入力内容を確認するか、IT管理者にリンクをお問い合わせください。

password-title = パスワードを入力
password-email = メールアドレスまたはユーザー名
password-password = パスワード
password-hint = 会社アカウントのパスワードです。
password-wrong = 名前とパスワードの組み合わせが正しくありません。両方を確認するか、IT管理者にお問い合わせください。
password-busy = 試行回数が多すぎます。数分待ってからもう一度お試しください。
password-over = サインインに時間がかかりすぎました。アプリケーションからやり直してください。
password-button = サインイン

break-glass-title = 緊急コードでサインイン
break-glass-code = 緊急コード
break-glass-hint = 管理者が持つ一覧に記載されています。各コードは一度だけ、1時間有効です。
break-glass-wrong = 名前とコードの組み合わせが正しくないか、コードは使用済みです。両方を確認するか、次のコードをお使いください。

ways-title = サインイン方法を選んでください
ways-text = 組織は独自のサインインサービスへ移行中です。移行が終わるまで、どちらの方法も使えます。
ways-sso = 会社のアカウントでサインイン
ways-own = これまでの方法でサインイン

link-title = 会社のアカウントを連携
link-text = 今後 { $email } は { $tenant } の会社アカウントで { $application } にサインインします。ご本人の場合のみ続けてください。
link-button = 連携してサインイン

invitation-title = { $application } に招待されています
invitation-text = { $tenant } が { $email } を招待しています。会社のアカウントでサインインしてください。
invitation-button = 承諾してサインイン
invitation-over-title = この招待は無効になりました。

mail-invitation-text = { $tenant } が { $application } の利用を許可しました。会社のアカウント { $email } でサインインしてください。
mail-invitation-link = ボタンが使えない場合は、次のアドレスをブラウザーで開いてください:
mail-invitation-until = リンクの有効期限: { $date }
mail-invitation-why = このメールは、{ $tenant } が { $email } を { $application } に追加したため送信されました。心当たりがない場合は IT 管理者にお問い合わせください。無視しても何も起こりません。

moving-title = しばらくお待ちください
moving-idp = 会社のサインインサービスに移動しています。何も起こらない場合は、ボタンを押してください。
moving-app = アプリケーションに移動しています。何も起こらない場合は、ボタンを押してください。

sign-out = サインアウト
sign-out-asked = { $application } からサインアウトしますか？
sign-out-asked-all = すべてのアプリケーションからサインアウトしますか？
sign-out-asked-text = 会社のサインインサービスが対応している場合は、そちらからもサインアウトします。
sign-out-done = サインアウトしました。
sign-out-done-text = このウィンドウを閉じてかまいません。
sign-out-partly-text = 会社のサインインサービスで一部のサインアウトが完了しませんでした。安全のため、ブラウザーのウィンドウをすべて閉じてください。
sign-out-here-text = 会社のサインインサービスにはまだサインインしている可能性があります。共有のコンピューターでは、そちらからもサインアウトするか、ブラウザーのウィンドウをすべて閉じてください。

signed-in = サインインしています
signed-in-text = { $application } を開いてください。もう一度確認されることはありません。

start-text = このサービスのIDゲートウェイです。企業はここにIDプロバイダーを接続し、社員はサインインし、アプリケーションは利用者が誰であるかを知ります。
start-person = サインインしたい
start-person-text = アプリケーションから、またはIT管理者から受け取ったリンクから始めてください。リンクは { $link } のような形です。
start-person-login = またはメールアドレスからサインイン先を探す
start-admin = IT管理者です
start-admin-text = 接続の4つの値が必要です。アプリケーションの運営者が { $command } で確認できます。名称はOktaの画面の項目名と同じです。
start-admin-token = 作成時に一度だけ表示されるトークン
start-developer = アプリケーションを開発しています
start-developer-text = 任意のOpenID Connectライブラリにこの発行者を設定してください。

next-again = アプリケーションからもう一度お試しください。繰り返す場合は、このページをIT管理者に送ってください。
next-admin = IT管理者にお問い合わせください。対処方法はこのページにあります。
next-seconds = 数秒待ってからもう一度お試しください。
next-vendor = もう一度お試しください。繰り返す場合は、このページをアプリケーションの運営者に送ってください。
next-back = 前のページに戻ってもう一度お試しください。繰り返す場合は、このページをアプリケーションの運営者に送ってください。
next-address = アドレスを確認するか、アプリケーションから始めてください。

error-request = アプリケーションから送られたサインイン要求は使用できません。
error-not-set-up = このアドレスのシングルサインオンはまだ設定されていません。
error-not-set-up-next = アドレスを確認してください。正しい場合は、IT管理者に設定の完了を依頼してください。IDプロバイダーのメタデータがまだありません。
error-suspended = お客様の組織のサインインは停止されています。
error-suspended-next = IT管理者にお問い合わせください。再開できるのはアプリケーションの運営者だけです。
error-unavailable = 現在サインインできません。
error-internal = こちら側で問題が発生しました。
error-nothing = このアドレスには何もありません。
error-form = ブラウザーから送信された内容は、ここでは使用できません。
error-refused = サインインできません。

refusal-GH-USR-006 = このアカウントはIDプロバイダーの別のIDに属しています。アプリケーションのユーザー名の確認をIT管理者に依頼してください。
refusal-GH-USR-008 = このアカウントの持ち主がまだ確認されていません。確認をIT管理者に依頼してください。
refusal-GH-USR-013 = このアカウントはすでに別の利用者に結び付いているため、連携できません。アプリケーションからサインインするか、提供元に統合を依頼してください。
refusal-GH-SEA-001 = 組織の席はすべて使用中です。席の割り当てをIT管理者に依頼してください。
refusal-GH-SEA-002 = 組織の席はすべて使用中で、順番をお待ちいただいています。席の割り当てをIT管理者に依頼してください。
refusal-GH-INV-001 = 招待の有効期限が切れています。新しい招待を依頼してください。
refusal-GH-INV-002 = 招待はすでに使用されています。アプリケーションからサインインしてください。
refusal-GH-INV-003 = 招待は取り消されました。新しい招待を依頼してください。
refusal-other = IT管理者にお問い合わせください。対処方法はこのページにあります。

saml-UNREADABLE = 会社のサインインサービスの応答を読み取れませんでした。
saml-UNTRUSTED = 会社のサインインサービスの応答を検証できませんでした。
saml-SETUP = 会社のサインインサービスとこのアプリケーションの接続が正しく設定されていません。
saml-ENCRYPTED = 会社のサインインサービスの暗号化された応答を開けませんでした。
saml-IDENTITY = 会社のサインインサービスの応答から利用者を特定できませんでした。
saml-DENIED = 会社のサインインサービスがアクセスを許可しませんでした。
saml-LATE = サインインに時間がかかりすぎました。もう一度やり直してください。
saml-CLOCK = 会社のサインインサービスの時計がこちらと合っていません。
saml-AGAIN = このサインインは完了できません。もう一度やり直してください。
saml-START_HERE = アプリケーションからサインインを始めてください。
saml-UNASSIGNED = このアプリケーションが割り当てられていません。
saml-DEACTIVATED = このアプリケーションのアカウントは無効になっています。
saml-CONTEXT = このアプリケーションでは、より強力なサインイン方法が必要です。
saml-LOGOUT = 会社のサインインサービスでサインアウトを完了できませんでした。
saml-BUSY = 試行回数が多すぎます。しばらくしてからもう一度お試しください。
