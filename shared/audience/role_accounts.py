"""Local parts that belong to a function and not to a person, such as `info` or `sales`.

Made by `python -m ops.role_accounts` from version 3.1.0 of the npm package
role-based-email-addresses, which is under this licence:

The MIT License (MIT)

Copyright (c) 2015 Mixmax, Inc

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.
"""

from __future__ import annotations

_NAMES = """
    123 2015 2016 2017 2018 2019 2020 2021 2022 2023 2024 2025 2026 2027 2028 2029 2030 aaa abc
    abm-alerts abuse academy accessibility account account-services accountant accounting
    accountmanager accountmanagers accounts accountspayable acquisition adm admin admin1
    administracao administracion administrador administratie administratif administration
    administrativo administrator administrators admins adminteam admisiones admissions adops ads
    ads-account-noreply advertise advertise-noreply advertising advertisingsales advice advisor
    advisors adwords affiliate affiliates agency agents alarm alarms alert alerts alerts-noreply
    alerts-qa alexa all all-employees all-pms all-staff all-team all-users all.employees all.staff
    all.users all_staff alla alle allemployees allhands allsales allstaff allstudents allteachers
    allteam allusers alpha alphas alumni ambassador ambassadors amministrazione analysts analytics
    android angels animation announce announcements ap api app apple application applications apply
    appointments apps archives arin arin-abuse asd asdasd asdf asistente ask asset assistanthead
    assistencia assistenza associates associates-all ateam atencionalcliente atendimento auctions
    auto-confirm automated automated.testing automation available b2bdata backend backend-dev backup
    bd benefits berlin bestellung beta biblioteca bibliotheque billing bills biuro biz bizdev
    booking bookings boston bot brand branding brandsolutions buchhaltung bugs bulletins business
    business_team businessdevelopment butik ca calendar calendar-notification caltrain campaign
    campaigns campusteam capacitacion captain captains care career careers catering central centro
    ceo ceos channel-sales chartering chat chat-noreply chatter chef chicago china church
    citymanagers class classof2016 classof2017 classof2018 classof2019 classroom classroom_teachers
    client clientes clientservices clinic cloud cm co-op coach coaches coaching code colaboradores
    colegio com comenzi comercial comercial1 comercial2 comments comments-noreply commercial
    commerciale commissions committee comms communication communications community company
    company.wide compete competition complaints compliance compras compta comptabilite comunicacao
    comunicacion comunicaciones comunicazione concierge conference connect consultant consultas
    consulting consultoria contabil contabilidad contabilidade contabilita contact contact-us
    contactenos contacto contactus contador contato content contractor contractors contracts
    controller coordinator copyright core coreteam corp corporate corporatesales council courrier
    course courses creative crew crm cs csm csteam cultura culture customer customer.service
    customercare customerfeedback customers customerservice customerservicecenter customerservices
    customersuccess customersupport custserv daemon data database deals delivery demo denver
    departures deploy deputy deputyhead design designer designers dev developer developers
    development devnull devops devs devteam digest digital digsitesvalue direccion direction directo
    director directors directory diretoria direzione discuss dispatch diversity dns do-not-reply
    do_not_reply docs domain domainmanagement domains donations donors donotreply download dreamteam
    drive-shares-dm-noreply ecommerce editor editorial editors editors-noreply education eletters
    email emails emergency employment enews eng eng-all engagement engenharia engineering engineers
    english english-personalized-digest enq enquire enquires enquiries enquiry enrollment enterprise
    envio equipe equipo error errors escritorio europe event events everybody everyone exec execs
    execteam executive executives expenses expert experts export express facebook facilities
    facturacion faculty family faq farmacia faturamento fax fbl feedback fellows finance financeiro
    financeiro2 finanzas firmapost fiscal food football form-submission founders france franchise
    friends frontdesk frontend frontoffice fte ftp fulfillments fulltime fun fund-ops fundraising
    gardner geeks general geral gerencia giving global gm google-workspace-alerts-noreply
    googlealerts-noreply grants graphics group groups-noreply growth hackathon hackers head
    head.office headoffice heads headteacher hello help helpdesk hi highschool hiring hit-reply hola
    home homes hosting hostmaster hotel house hq hr hr.dept hrdept hsstaff hsteachers
    human_resources humanresources ideas ifttt implementation import inbound inbox india info
    infopremium infor informacion informatica information informatique informativo infra
    infrastructure ingenieria innkeeper innovation inoc inquiries inquiry insidesales insights
    instagram instant-updates instructor insurance integration integrations intern internal
    internal-noreply international internet interns internship invest investment investor
    investorrelations investors investorservices invitations invites invoice invoices invoicing ios
    iphone ir ispfeedback ispsupport it ithelp itsupport itunes jira job jobalerts-noreply jobs
    jobs-listings jobs-noreply join jornalismo junk kontakt kundeservice la lab laboratorio labs
    ladies latam launch lead leaders leadership leadership-team leadershipteam leads learn learning
    leasing legal letters library licensing lifesum links list list-request listingupdates
    listmanager listproc listserv loan-ops login loginotp logistica logistics logistiek
    looker-studio-noreply lt lunch mail mailbox maildaemon mailer mailer-daemon mailerdaemon mailing
    mailman maintenance majordomo management management-group management.team management_team
    manager managers marketing marketing-ops marketing-team marketingteam marketplace master mayor
    md media meeting meetup member members memberservices membership membersuccess mentor mentors
    merchant merchants messages-noreply messaging-digest-noreply metrics mgmt middleschool misc mkt
    mktg mobile monitor monitoring montreal moreinfo msstaff msteachers mt music myplex namecheap
    network newbiz newbusiness news news-noreply newsletter newsletters newsletters-noreply newyork
    nntp no no-reply no-reply-forms no.replay no.reply no.reply.alerts no_reply nobody noc noemail
    none noreply noreply-apps-scripts-notifications noreply-dmarc noreply-spamdigest noresponse
    northamerica nospam notes notificaciones notification notification.external notifications
    notifications-noreply notify nps null ny nyc nyoffice offboarding offers office officeadmin
    officemanager officers officestaff offtopic oficina onboarding online onsite ooo operaciones
    operations ops order orders ordini outage outreach owners parents paris partner partners
    partnerships parts pastor pay payment payments paypal payroll pd people peoplemanagers peopleops
    per performance personnel phish phishing photos pkginfo planning platform plex plex.tv pm
    portfolio post postbox postfix postmaster ppc pr prefeitura presales presidencia president
    presidente press presse prime principa principal principals privacy procurement prod produccion
    product product-team product.growth product.management product.managers product.team production
    productmanagers products productteam produto professor program programs project projectmanagers
    projects promo promotions protocollo proveedores publicidade publisher publishers publishing
    pullrequests-reply purchase purchases purchasing qa qualidade questions quotes random receipts
    recepcion reception receptionist recommendations recruit recruiter recruiters recruiting
    recruitment recrutement recursoshumanos redacao redaccion redaction redazione referrals reg
    register registrar registration reklama reminder reminders report reporting reports request
    requests reserva reservaciones reservas reservation reservations response retail revenue
    rezervari rfp rh ripe-abuse rnd rockstars root rrhh rsreply rsvp sac sale sales sales-team
    sales.team sales1 sales2 salesengineers salesforce salesops salesteam sanfrancisco sc-noreply
    schedule school schooloffice science sdr se search seattle secretaria secretariaat secretaris
    secretary security sekretariat selectsupport sellersupport sem seniors seo server service
    serviceclient servicedesk services servicioalcliente sf sf-office sfo sfoffice sfteam
    shareholders shipping shop shopify shopping signup signups singapore sistemas site smile smtp
    social socialclub socialmedia socios software solutions soporte sos spam sponsorship sport squad
    staff startups stats stay stockholm store store-news stories strategy stripe student students
    studio study submissions submit subscribe subscriptions success suggestions superintendent
    supervisor supervisors suporte supply support support-team supportteam suprimentos survey sydney
    sysadmin system systemmessage systems ta talent tax teacher teachers team team-sales-enablement
    teamleaders teamleads tech technical technik technology techops techsupport techteam tecnologia
    tesoreria test testgroup testing the.principal theoffice theteam tickets time timesheets todos
    tools tour trade trainers training transport travel treasurer tribe trustees turismo twitter uk
    undisclosed-recipients unsubscribe update updates us usa usenet user users usteam uucp ux vendas
    vendas1 vendas2 vendors ventas ventas1 ventas2 verkauf voice-noreply voicemail volunteer
    volunteering volunteers vorstand warehouse watercooler web webadmin webdesign webdev webinar
    webinars webmaster webnotification website webteam welcome whois wholesale women wordpress work
    workshop workspace-noreply writers www www-data zakaz zentrale
"""

ROLE_ACCOUNTS = frozenset(_NAMES.split())
